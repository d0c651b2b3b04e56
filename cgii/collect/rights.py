"""Keeps what this process may do beyond its account's rights from the processes that it starts."""

import ctypes
import os
import sys

from cgii.base import logs

PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4  # prctl(2)

log = logs.logger("collect")


def keep_from_children() -> None:
    """Start nobody who inherits our capabilities; to be called before there are threads.

    A service has them as ambient ones, which every program that it starts gets, too: also those
    that read hostile files. Ours stay: an interface is opened anew when it comes back.
    """
    if not sys.platform.startswith("linux"):
        return
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0):
        reason = os.strerror(ctypes.get_errno())
        log.warning("capabilities are not kept from what is started", reason=reason)
