"""librdkafka's own functions, for what confluent_kafka's cost a Python step per message: sending a table.

confluent_kafka stands on librdkafka and brings it. Its public functions (rdkafka.h) keep their meaning within a major
version; those called here are older than any version that our confluent_kafka brings. Nothing is called through
confluent_kafka's own objects, only through a client made here.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

import numpy as np

PRODUCER = 0
UNASSIGNED = -1
EVENT_DELIVERY, EVENT_ERROR = 0x1, 0x8
PURGE_QUEUE_AND_FLIGHT = 0x1 | 0x2
FATAL = -150
_CONF_OK = 0
_TEXT = 512


class Message(ctypes.Structure):
    """rd_kafka_message_t."""

    _fields_ = (
        ("error", c_int),
        ("topic", c_void_p),
        ("partition", c_int32),
        ("payload", c_void_p),
        ("len", c_size_t),
        ("key", c_void_p),
        ("key_len", c_size_t),
        ("offset", c_int64),
        ("private", c_void_p),
    )


# the same for many messages at once
MESSAGE = np.dtype(Message)
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "conf_new": (c_void_p, ()),
    "conf_set": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)),
    "conf_set_events": (None, (c_void_p, c_int)),
    "conf_destroy": (None, (c_void_p,)),
    "new": (c_void_p, (c_int, c_void_p, c_char_p, c_size_t)),
    "destroy": (None, (c_void_p,)),
    "topic_new": (c_void_p, (c_void_p, c_char_p, c_void_p)),
    "topic_destroy": (None, (c_void_p,)),
    "produce_batch": (c_int, (c_void_p, c_int32, c_int, c_void_p, c_int)),
    "flush": (c_int, (c_void_p, c_int)),
    "purge": (c_int, (c_void_p, c_int)),
    "outq_len": (c_int, (c_void_p,)),
    "queue_get_main": (c_void_p, (c_void_p,)),
    "queue_poll": (c_void_p, (c_void_p, c_int)),
    "queue_destroy": (None, (c_void_p,)),
    "event_type": (c_int, (c_void_p,)),
    "event_error": (c_int, (c_void_p,)),
    "event_message_next": (POINTER(Message), (c_void_p,)),
    "event_destroy": (None, (c_void_p,)),
    "err2name": (c_char_p, (c_int,)),
    "err2str": (c_char_p, (c_int,)),
}


class Librdkafka:
    """The library's functions by their names without ``rd_kafka_``. A call gives way to other threads.

    Args:
        path: confluent_kafka's extension module, whose library is looked into.

    Raises:
        LookupError: they are not to be found there, such as where the library is linked into it.
    """

    def __init__(self, path: str) -> None:
        try:
            library = ctypes.CDLL(path)
            for name, (result, arguments) in _FUNCTIONS.items():
                function = getattr(library, f"rd_kafka_{name}")
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        except (OSError, AttributeError) as error:
            raise LookupError(str(error)) from None

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"rd_kafka_{name} is not among the functions used")

    def name_of(self, error: int) -> str:
        """An error's name, such as ``_MSG_TIMED_OUT``."""
        return str(self.err2name(error).decode())

    def client(self, settings: dict[str, str]) -> int:
        """A producer whose deliveries and errors are events of its main queue.

        Raises:
            ValueError: a setting is refused, or there is no thread or memory for one; in librdkafka's words.
        """
        conf, text = self.conf_new(), ctypes.create_string_buffer(_TEXT)
        for key, value in settings.items():
            if self.conf_set(conf, key.encode(), value.encode(), text, _TEXT) != _CONF_OK:
                self.conf_destroy(conf)
                raise ValueError(text.value.decode(errors="replace"))
        self.conf_set_events(conf, EVENT_DELIVERY | EVENT_ERROR)
        made = self.new(PRODUCER, conf, text, _TEXT)
        if not made:
            self.conf_destroy(conf)
            raise ValueError(text.value.decode(errors="replace"))
        return int(made)
