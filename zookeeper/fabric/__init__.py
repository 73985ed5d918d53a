"""What every process is woven from; each module imports only earlier ones of this list.

errors, release, log_file, logs, config_file, settings, auth, disk, spare, forks, stream,
sockets, handshake, rpc, remote, server, daemon
"""
