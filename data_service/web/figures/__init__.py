"""Figures of the cluster: for the page, for machines that collect them, for load balancers.

What the page gets, all of it JSON of a GET, is described where it is made: `/cluster/overview` in
`overview.py`, `/cluster/datanodes` in `datanode_rows.py`, `/cluster/history` in `history.py`, and
`/cluster/log` in `log_lines.py`.
"""
