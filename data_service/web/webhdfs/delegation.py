"""The operations on delegation tokens, by which one lets others act for him."""

from contextlib import contextmanager
from typing import Iterator

from data_service.web.exchange.answers import EMPTY, Answer, answer_json
from data_service.web.exchange.remote_exceptions import INVALID_TOKEN, RemoteException
from data_service.web.webhdfs.calls import Call
from zookeeper.fabric.errors import AuthenticationFailed


def get_delegation_token(call: Call) -> Answer:
    """A token; none, as HDFS has it, where nobody has to prove who he is."""
    token = call.fs.delegation_token(call.parameters.text("renewer", call.fs.user))
    return answer_json({"Token": {"urlString": token} if token else None})


def renew_delegation_token(call: Call) -> Answer:
    """Until when a token is good now, in milliseconds since 1970."""
    token = call.parameters.required("token")
    with _about_the_token():
        return answer_json({"long": call.fs.renew_delegation_token(token)})


def cancel_delegation_token(call: Call) -> Answer:
    """A token is void."""
    token = call.parameters.required("token")
    with _about_the_token():
        call.fs.cancel_delegation_token(token)
    return EMPTY


@contextmanager
def _about_the_token() -> Iterator[None]:
    """What is refused within is the token that is asked about, not who asks."""
    try:
        yield
    except AuthenticationFailed as error:
        raise RemoteException(INVALID_TOKEN, error.message) from None
