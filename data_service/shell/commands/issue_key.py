"""issueKey: a key file for a user, a gateway, or the daemons of a machine, made from the cluster's
key; or a user's key as one word."""

from typing import List

from data_service.shell.arguments.options import Options, parse
from data_service.shell.failures import UsageError
from data_service.shell.private_files import keep
from data_service.shell.session import Session
from zookeeper.fabric import key_file, web_password
from zookeeper.fabric.credentials import cluster_keys, key_credentials
from zookeeper.fabric.daemon import address_at
from zookeeper.fabric.identity import (
    DATA_NODE,
    GATEWAY,
    METADATA,
    NAME_NODE,
    USER,
    ZOOKEEPER,
    Principal,
    check_plain_name,
    server_at,
)
from zookeeper.fabric.moments import now
from zookeeper.fabric.settings import Settings

DATA_NODE_OPTION, GATEWAY_OPTION, WEB_OPTION = "-datanode", "-gateway", "-web"


def issue_key(session: Session, words: List[str]) -> None:
    """Print a key; nobody else is told, and nothing is kept."""
    options = parse(
        words,
        f"-{ZOOKEEPER} -{METADATA} {WEB_OPTION}",
        f"o {DATA_NODE_OPTION} {GATEWAY_OPTION}",
        most=1,
    )
    settings: Settings = session.filesystem.settings
    if options.has(WEB_OPTION):
        text = _web_password(options, session)
    else:
        made_of, moment = cluster_keys(settings), int(now())
        owners = _owners(options, settings)
        text = "".join([key_file.issue(made_of, owner, moment) for owner in owners])
    path = options.value("o")
    if path is None:
        session.out.text(text)
    else:
        keep(path, text)


def _web_password(options: Options, session: Session) -> str:
    """The key of the user whom the words name, or of the caller, who may have an issued one."""
    settings: Settings = session.filesystem.settings
    if not options.arguments:
        options.arguments.append(session.filesystem.user)
    (owner, *others) = _owners(options, settings)
    if owner.role != USER or others:
        raise UsageError("--web is for users only")
    return web_password.render(key_credentials(settings, owner).newest(NAME_NODE)) + "\n"


def _owners(options: Options, settings: Settings) -> List[Principal]:
    """Whom the words name: one, or several daemons of a machine; UsageError for anything else."""
    named = [Principal(USER, user) for user in options.arguments]
    if options.value(DATA_NODE_OPTION) is not None:
        index = options.number(DATA_NODE_OPTION, 0)
        address = address_at(settings.data_node.hosts, index, "data_node_hosts")
        named.append(server_at(DATA_NODE, address))
    gateway = options.value(GATEWAY_OPTION)
    if gateway is not None:
        named.append(Principal(GATEWAY, gateway))
    named += [Principal(role) for role in (ZOOKEEPER, METADATA) if options.has(f"-{role}")]
    people = [one for one in named if one.role in (USER, GATEWAY)]
    if not named or people and len(named) > 1:
        raise UsageError("expected one of USER, --gateway NAME, or the daemons of a machine: "
                         "--datanode N, --zookeeper, --metadata")
    for one in people:
        check_plain_name(one.name)
    return named
