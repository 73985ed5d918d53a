"""What every process is woven from; each module imports only earlier ones of this list.

errors, kinds, calls, release, standard_streams, log_file, logs, config_file, section, sections,
settings, identity, keys, web_password, moments, auth, key_file, revocation, credentials, disk,
spare, forks, waiting, budget, places, stream, tls_stream, tls, packets, sockets, figures, process,
acceptor, handshake, frames, meter, rpc, remote, leader_probe, pools, server,
daemon
"""
