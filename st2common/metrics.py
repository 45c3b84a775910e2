"""What a process counts about itself: every metric of the platform, so that a name is written once.

Counting is an addition in memory; nothing is computed before somebody asks for ``/metrics``. Children with labels that
a hot path needs are looked up once, where the module is loaded. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from st2common.output.chunk import Stream

# Output appears within milliseconds; a minute is an outage.
_DELAYS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

# The output log, where it is written: in the action runner.
_lines = Counter("st2_output_lines_total", "Lines numbered for the log.", ["stream"])
_bytes = Counter("st2_output_bytes_total", "Bytes numbered for the log, after masking.", ["stream"])
_chunks = Counter("st2_output_chunks_total", "Chunks numbered for the log.", ["stream"])
OUTPUT_LINES = {stream: _lines.labels(stream) for stream in Stream}
OUTPUT_BYTES = {stream: _bytes.labels(stream) for stream in Stream}
OUTPUT_CHUNKS = {stream: _chunks.labels(stream) for stream in Stream}
OUTPUT_MASKED = Counter("st2_output_masked_total", "Secrets replaced in output.")
OUTPUT_TRUNCATED = Counter("st2_output_truncated_bytes_total", "Bytes beyond the limit of their execution, not kept.")
OUTPUT_LAG = Histogram(
    "st2_output_lag_seconds",
    "From an action's write to the acknowledgement of the database, for the oldest line of each batch.",
    buckets=_DELAYS,
)
OUTPUT_RETRIES = Counter("st2_output_retries_total", "Writes to the log repeated because the database was away.")
SPOOL_BYTES = Gauge("st2_spool_bytes", "Output of running actions that is on the runner's disk and not in the log yet.")

# The action runner.
RUNNING = Gauge("st2_runner_executions", "Executions that this runner runs.")
ENDED = Counter("st2_executions_ended_total", "Executions that this runner has ended.", ["status"])
DISPATCH_LATENCY = Histogram(
    "st2_dispatch_latency_seconds",
    "From the acceptance of an execution to its claim by a runner, a delay that was asked for included.",
    buckets=_DELAYS,
)
_renewals = Counter("st2_lease_renewals_total", "Renewals of the runner's leases.", ["outcome"])
LEASE_RENEWED = _renewals.labels("renewed")
LEASE_FAILED = _renewals.labels("failed")

# Watching: in the stream service and the API.
WATCHERS = Gauge("st2_watchers", "Connections that follow output or events now.", ["kind"])
FEEDS = Gauge("st2_stream_feeds", "Executions whose output is read for watchers now.")
WATCH_LAG = Histogram(
    "st2_watch_lag_seconds",
    "From an action's write to the stream service's send, for chunks that arrive while somebody watches.",
    buckets=_DELAYS,
)
_dropped = Counter("st2_dropped_events_total", "Events that did not reach whoever should have had them.", ["where"])
DROPPED_OUTBOX = _dropped.labels("outbox")
DROPPED_HANDLER = _dropped.labels("handler")
DROPPED_WATCHER = _dropped.labels("watcher")

# The garbage collector.
COLLECTOR = Gauge("st2_gc_active", "1 in the collector that works, 0 in those that stand by.")
JOB_RUNS = Counter("st2_gc_runs_total", "Pieces of work that a job of the collector has done.", ["job"])
JOB_FAILURES = Counter("st2_gc_failures_total", "Pieces of work that went wrong.", ["job"])
JOB_RAN = Gauge("st2_gc_last_run_timestamp_seconds", "When the job has last worked, since the epoch.", ["job"])
PURGED = Counter("st2_gc_purged_total", "Documents that were purged for their age.", ["kind"])
PURGED_BELONGINGS = Counter("st2_gc_purged_belongings_total", "Documents that went with purged ones.", ["kind"])
RESCUED = Counter("st2_executions_rescued_total", "Executions ended because their runner was lost.")
REPUBLISHED = Counter("st2_executions_republished_total", "Executions published again because nobody claimed them.")
UNFINISHED = Gauge("st2_executions", "Executions that have not ended, told by the active collector.", ["status"])

# The broker.
OUTBOX = Gauge("st2_outbox_messages", "Messages that wait to be sent to the broker or confirmed by it.", ["outbox"])

# HTTP services.
REQUESTS = Counter("st2_http_requests_total", "Requests answered.", ["method", "status"])
REQUEST_SECONDS = Histogram("st2_http_request_seconds", "Until the answer of a request began.", buckets=_DELAYS)
