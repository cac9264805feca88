"""The part `storage`: Cloud Storage's JSON API over plain files, for the calls that are made here.

Objects are files below `<root>/<bucket>/`, so the warehouse reads what was uploaded. A server of
our own, because none that a registry has can be closed: fake-gcs-server listens on an open TCP
port, lets everybody in, and writes outside its folder when a name says so.
"""

from localcloud.storage.api import run

__all__ = ["run"]
