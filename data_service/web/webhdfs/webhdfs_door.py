"""The door to WebHDFS: from a request to the operation that it names."""

from contextlib import ExitStack

from data_service.web.exchange.answers import BYTES, Answer, answer_json
from data_service.web.exchange.remote_exceptions import nothing_at, translated
from data_service.web.exchange.request import Request
from data_service.web.visitors import Visitors
from data_service.web.webhdfs import addresses, operations
from data_service.web.webhdfs.calls import Call
from zookeeper.fabric.errors import DfsError


class WebHdfsDoor:
    """Answers requests below addresses.PREFIX."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        path, op = _path_of(request.path), request.parameters.op
        try:
            fs = self._visitors.client(request, held, patient=True)
            call = Call(path, request.parameters, fs, request.body, request.origin)
            return _perform(request, call)
        except DfsError as error:
            raise translated(error, op, path) from error


def _path_of(path: str) -> str:
    found = addresses.file_path(path)
    if found is None:
        raise nothing_at(path, f", but at {addresses.PREFIX}")
    return found


def _perform(request: Request, call: Call) -> Answer:
    parameters = call.parameters
    operation = operations.find(request.method, parameters.op)
    if operation.first is None or parameters.boolean("data"):
        return operation.perform(call)
    operation.first(call)
    there = addresses.location(call.origin, call.path, request.query)
    if parameters.boolean("noredirect"):
        return answer_json({"Location": there})
    return Answer(307, content_type=BYTES, location=there)
