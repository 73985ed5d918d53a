"""triggerBlockReport and getDatanodeInfo: what is asked of one datanode."""

from typing import List

from data_service.protocol.health import DEAD
from data_service.shell.arguments.options import parse
from data_service.shell.reports import cluster_report
from data_service.shell.session import Session
from zookeeper.fabric.errors import InvalidArgument, SettingsError
from zookeeper.fabric.settings import Address, parse_address


def trigger_block_report(session: Session, words: List[str]) -> None:
    """Have a datanode report all its blocks, or what changed, which it does at once anyway."""
    options = parse(words, "incremental", least=1, most=1)
    address = _address(options.arguments[0])
    session.filesystem.trigger_block_report(address.host, address.port)
    kind = "an incremental" if options.has("incremental") else "a full"
    session.out.line(f"Triggering {kind} block report on {address}.")


def get_datanode_info(session: Session, words: List[str]) -> None:
    """Show for how long a datanode runs, and which release: what it told the namenode."""
    address = _address(parse(words, least=1, most=1).arguments[0])
    for node in session.filesystem.datanodes():
        if (node.host, node.port) == address and node.state != DEAD:
            session.out.line(cluster_report.software_line(node))
            return
    raise InvalidArgument("Datanode unreachable.")


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except SettingsError as error:
        # This one came from the command line, not from config.ini.
        raise InvalidArgument(error.message) from None
