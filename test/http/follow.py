"""follow.py BRIDGE COUNT [LAST_EVENT_ID]: the ids of so many events of the feed, a line each."""
import itertools
import sys

import lib

last = sys.argv[3] if len(sys.argv) > 3 else None
for event_id, _, _ in itertools.islice(lib.Caller("viewer", sys.argv[1], timeout=60).events("/events", last_event_id=last), int(sys.argv[2])):
    print(event_id, flush=True)
