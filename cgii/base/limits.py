"""Every bound in one place, each with the reason for its size."""

# --- receiving ---------------------------------------------------------------------------------
LINE_BYTES_MAX = 256 * 1024  # the longest real records (PowerShell script blocks) stay below this
BATCH_RECORDS_MAX = 5_000  # one transaction stays well under a second
BATCH_BYTES_MAX = 8 * 1024 * 1024  # of a batch as received
BATCH_UNPACKED_BYTES_MAX = 32 * 1024 * 1024  # after decompression: a gzip bomb ends here
BATCH_VALUES_MAX = 3_000_000  # commas and brackets: 32 MB of `[],` would be 1 GB of lists
BODY_BYTES_MAX = 1 * 1024 * 1024  # of any other request without files
BODY_DISCARDED_BYTES_MAX = 128 * 1024 * 1024  # read past a limit, so that the sender hears why
UPLOAD_BYTES_MAX = 100 * 1024 * 1024  # of one evidence file
FORM_FIELD_BYTES_MAX = 256 * 1024  # a long report fits many times over
FORM_FIELDS_MAX = 2_000  # the plan form has the most
FORM_FILES_MAX = 20  # of one form
BODY_SECONDS_MAX = 60  # a sender that trickles is cut off here
JSON_DEPTH_MAX = 64  # deeper is an attack, not a log
EVENT_FIELDS_MAX = 1_000  # real records have hundreds; more is a JSON bomb and is rejected
FIELD_CHARS_MAX = 32 * 1024  # a longer value is cut in the view; the original keeps it whole
REJECT_SAMPLE_CHARS_MAX = 16_384  # what is shorter is kept whole and can be read again
REPLAY_BATCH = 500  # rejects read again at a time
CLOCK_AHEAD_SECONDS_MAX = 86_400  # a sender's clock further ahead is not believed
COLLECTOR_FILE_BYTES_MAX = 512 * 1024  # of one definition in collectors/
COLLECTOR_PATTERNS_MAX = 200  # of one definition
RECORD_PLANS_MAX = 512  # ways in which records of one source are built that are remembered
RECORD_PLAN_NAMES_MAX = 200  # fields of a record that is remembered so; longer ones are rare …
RECORD_PLAN_CHARS_MAX = 8_000  # … and their names all together
RECORD_PLAN_VALUES_MAX = 32  # remembered by one plan: kinds of events, outcomes, channels
RECORD_PLAN_VALUE_CHARS_MAX = 80  # of one of them; the names of Windows' channels fit
MINUTES_KNOWN_MAX = 4_096  # as logs write them, of one format
ADDRESSES_KNOWN_MAX = 65_536  # texts that were read as addresses and are remembered …
ADDRESS_CHARS_MAX = 80  # … if they are no longer than this; with zone and port they fit
REGEX_MEMORY_BYTES_MAX = 8 * 1024 * 1024  # what RE2 may use for one pattern

# --- reading files -----------------------------------------------------------------------------
FILE_UNPACKED_BYTES_MAX = 4 * 1024**3  # of a packed file: it is streamed, so only time is at stake
JSON_FILE_BYTES_MAX = 64 * 1024 * 1024  # of one JSON document that must be read whole
EVTX_BYTES_MAX = 4 * 1024**3 + 4_096  # of one event log and its head: Windows allows no more
GUESS_BYTES = 128 * 1024  # how much of a file is looked at to recognise its format
GUESS_JSON_BYTES = 16 * 1024 * 1024  # the same where the first record alone is longer
EVTX_DAMAGED_RECORDS_MAX = 1_000  # a log with more is given up
CHILD_MEMORY_BYTES = 512 * 1024 * 1024
CHILD_STEP_SECONDS = 30  # of the processor, for each part of a file of the size below
CHILD_STEP_BYTES = 32 * 1024 * 1024  # a flood of new conversations is the slowest to read
CHILD_LINE_BYTES_MAX = 512 * 1024  # said of one record: a line of ours, and what frames it
READ_CHUNK_BYTES = 256 * 1024
HEADING_BYTES_MAX = 32 * 1024  # of the lines that explain others; each record carries them
QUOTED_LINES_MAX = 100  # of one record whose quoted values have line breaks
RECORD_LINES_MAX = 10_000  # of one record of several lines
SCAN_WAITING_MATCHES = 50_000  # matches that `scan` sorts by time before correlations count them

# --- reading packets ---------------------------------------------------------------------------
FRAME_BYTES_MAX = 262_144  # of one captured frame: the largest that capture programs keep
CAPTURE_BLOCK_BYTES_MAX = 16 * 1024 * 1024  # of one block of pcapng, also of kinds not looked at
CAPTURE_INTERFACES_MAX = 4_096  # of one section of pcapng
CAPTURE_LOOK_SECONDS = 5  # between two looks into a folder of captures
CAPTURE_SETTLED_SECONDS = 30  # unchanged for so long, a capture is finished
CAPTURE_PLACES_MAX = 5_000  # captures that were read and are remembered, the newest
NETFLOW_DOMAINS_MAX = 1_024  # exporters and their parts
NETFLOW_TEMPLATES_MAX = 256  # of one domain
NETFLOW_FIELDS_MAX = 256  # of one template
NETFLOW_ALL_FIELDS_MAX = 100_000  # of all templates together: some 15 MB
NETFLOW_RECORDS_MAX = 2_000  # of one datagram, with those that waited for its templates
NETFLOW_RECORD_BYTES_MIN = 8  # a template of shorter flows is refused
NETFLOW_WAITING_SETS_MAX = 64  # of one domain, for their template
NETFLOW_WAITING_BYTES_MAX = 16 * 1024 * 1024  # of all domains together
CAPTURE_RECEIVE_BYTES = 32 * 1024 * 1024  # asked of the kernel, for each interface
CAPTURE_SNAP_BYTES = 65_536  # looked at of one frame of an interface
CAPTURE_PULL_FRAMES = 2_000  # taken from the kernel at once
CAPTURE_STATISTICS_SECONDS = 300
VLAN_TAGS_MAX = 4
EXTENSION_HEADERS_MAX = 16  # of one IPv6 packet
FLOWS_MAX = 65_536  # conversations under way; past it the oldest are told as they are
FLOW_IDLE_SECONDS = {6: 300, 17: 60}  # by protocol, without a packet; then a flow has ended
FLOW_IDLE_OTHER_SECONDS = 60
FLOW_ATTEMPT_SECONDS = 10  # the same for a TCP conversation that nobody answered
FLOW_CLOSED_SECONDS = 5  # the same after both sides said goodbye
FLOW_ACTIVE_SECONDS = 300  # a longer flow is told in parts
FLOW_SWEEP_SECONDS = 5
FRAGMENTED_PACKETS_MAX = 4_096  # whose first part was seen, and so the ports
BEGINNING_BYTES_MAX = 16 * 1024  # of each side of a TCP conversation; heads and hellos fit
BEGINNINGS_BYTES_MAX = 48 * 1024 * 1024  # of all of them together
EARLY_SEGMENTS_MAX = 16  # of one side, that wait for what comes before them
HEADS_MAX = 100_000  # of HTTP in one conversation
REQUESTS_WAITING_MAX = 64  # of one conversation, for their answers
DNS_RECORDS_MAX = 100  # looked at in one message
DNS_ANSWERS_MAX = 50  # told of one message
DNS_POINTERS_MAX = 64  # followed within one name
CERTIFICATES_MAX = 8  # looked at of one chain
NAMES_MAX = 50  # of one certificate
ADDRESS_OWNERS_MAX = 65_536  # hardware addresses known
SCAN_SECONDS = 300  # attempts of one source within this long are one scan
SCAN_TARGETS_MIN = 25  # different ports of a host, or hosts with a port, that make a scan
SCAN_TARGETS_MAX = 4_096  # counted one by one
SCAN_SOURCES_MAX = 16_384
SCAN_TARGETS_ALL_MAX = 100_000  # of all sources together
BEACON_STARTS_MIN = 10  # connections before their regularity says anything
BEACON_STARTS_MAX = 32  # remembered of one pair
BEACON_PAIRS_MAX = 32_768
BEACON_SECONDS_MIN = 5  # shorter intervals are a program at work
BEACON_JITTER_MAX = 0.2  # median distance from the median interval, as a share of it

# --- listening ---------------------------------------------------------------------------------
LISTEN_BUFFER_RECORDS_MAX = 50_000  # about 20 MB; past it TCP stops being read and UDP is counted
LISTEN_BUFFER_BYTES_MAX = 64 * 1024 * 1024  # the same with long records
LISTEN_RETRY_SECONDS = (1, 2, 4, 8, 15, 30)  # between tries while the centre is unavailable
UDP_RECEIVE_BYTES = 4 * 1024 * 1024  # asked of the kernel: what it holds while we are busy
FOLLOW_POLL_SECONDS = 0.5
FOLLOW_HEAD_BYTES = 256  # by these a file is known again after a restart
FOLLOW_IDLE_POLLS = 10  # without anything new, after which a record of several lines has ended
FOLLOW_SIBLINGS_MAX = 200  # rotated neighbours looked at to find a file that was renamed
PRUNE_ROWS = 2_000  # deleted in one transaction
PRUNE_TURNS_MAX = 50  # such transactions in one run of a job
INVITATION_HOURS = 24  # until a sensor's invitation ends
SIGNATURE_AGE_SECONDS_MAX = 300  # of a signed request, either way: clocks differ
PUSHED_RETRY_SECONDS = (2, 5, 15, 60, 300)  # between looks whether pushed inputs can start now
SENSOR_KEY_DAYS = 60  # a sensor then makes itself a new key
SENSOR_REPORT_SECONDS = 60  # between two reports of a sensor on itself
SENSOR_NEWS_SECONDS = 5  # until it tells what came of new settings
SENSOR_SKEW_SECONDS = 60  # a sensor's clock that is further off is told
SENSOR_LATE_SECONDS = 900  # a batch that waits longer in a sensor's queue is told
SENSOR_SETTINGS_CHARS_MAX = 20_000
FOLLOW_SCAN_SECONDS = 2  # between two looks for new files of a pattern
FOLLOW_FILES_MAX = 2_000  # of one pattern, the newest
FOLLOW_FORGET_LOOKS = 60  # without a file that was followed before; its disk may come late
FOLLOW_LOOKED_AT_MAX = 50_000  # names that one look at a pattern may take
LEFT_OUT_TOLD_SECONDS = 60  # between two records about files of a pattern that have no room
FOLLOW_OPEN_MAX = 200  # of one pattern at once; the quietest is closed
FOLLOW_QUIET_SECONDS = 30  # a renamed or deleted file that brings nothing new is finished then
WHOLE_FILES_MAX = 5_000  # of one pattern; their places are written with each batch
WHOLE_FILE_BYTES_MAX = 2 * 1024**3  # of one file that is read whole, as it lies on disk
WHOLE_UNPACKED_BYTES_MAX = 1024**3  # a gzip bomb ends here
WHOLE_SILENCE_SECONDS = 60  # without a record from it, it is killed
WHOLE_LOSSES_MAX = 100  # told of one file
WHOLE_SETTLED_SECONDS = 30  # seen unchanged for so long, it is whole
CHILD_TRIES_MAX = 3  # at one content: who kills its reader may have meant another
WHOLE_ANSWER_BYTES_MAX = 2 * 1024 * 1024  # of one record as JSON text, escaped
STREAM_PART_CHARS_MAX = 120  # of a path or address in the name of a stream
CERTIFICATE_DAYS_MIN = 14  # of validity left before the check complains
SPOOL_FULL_PERCENT = 80  # of its size, before the check complains
SEND_TIMEOUT_SECONDS = 30
SEND_REFUSED_SECONDS = 60  # between tries while the centre does not accept the token
SPOOL_STAMP_SECONDS = 10  # how exactly the age of what waits is known
SPOOL_BYTES_MAX = 1024 * 1024 * 1024  # of a sensor's queue on disk, unless its file says otherwise
SPOOL_ROOM_BYTES = 96 * 1024 * 1024  # more than a buffer of records in memory takes
SPOOL_REFUSED_MAX = 1_000  # batches that the centre refused; older ones give way
SPOOL_SEGMENT_BYTES = 16 * 1024 * 1024
SPOOL_ENTRY_BYTES_MAX = 256 * 1024 * 1024  # more cannot be meant: the entry is damaged
LISTEN_FLUSH_SECONDS = 0.5  # a lone line waits this long at most
LISTEN_BATCH_RECORDS = 1_000
JOINED_BYTES_MAX = 2 * 1024 * 1024  # unpacked, of batches that wait and are sent as one
KERNEL_LOOK_SECONDS = 10  # between two looks for datagrams that the system dropped
PULL_BYTES_MAX = 32 * 1024 * 1024  # of one answer, unpacked; it is held in memory
PULL_SECONDS_MAX = 120  # of one answer, so that a server that trickles is left
PULL_TIMEOUT_SECONDS = 30  # of each step of it
PULL_RECORDS_MAX = 50_000  # of one page
PULL_PAGES_MAX = 100  # in a row; the others come in the next round
PULL_WAIT_SECONDS_MAX = 3_600  # between tries while a server does not answer
IMAP_SECONDS_MAX = 30  # for each answer of the server
IMAP_CPU_SECONDS = 300  # of the processor, for one visit; no mail may take a step (above)
IMAP_LINE_BYTES_MAX = 16 * 1024 * 1024  # the numbers of all mails of a mailbox are one
IMAP_MAILS_MAX = 500  # of one visit; the others come with the next
MAIL_BYTES_MAX = 4 * 1024 * 1024  # fetched of one mail; what is behind is not looked at
MAIL_PARTS_MAX = 50  # parts, addresses, attachments of one mail
MAIL_HEADER_CHARS_MAX = 4_000  # of one header
MAIL_BODY_CHARS_MAX = 2_000  # of its text
CURSOR_CHARS_MAX = 2_000
TCP_CONNECTIONS_MAX = 512
TCP_IDLE_SECONDS_MAX = 600
TCP_QUIET_SECONDS = 30  # so long without a whole message, a connection may have to give way
TLS_HANDSHAKE_SECONDS = 10  # for all of it
TLS_SHUTDOWN_SECONDS = 2
ACCEPT_PAUSE_SECONDS = 0.5  # after a connection could not be accepted

# --- detecting ---------------------------------------------------------------------------------
RULE_FILE_BYTES_MAX = 1024 * 1024
RULE_VERSIONS_SHOWN = 100  # of one rule on its page, the newest
RULE_TEXT_CHARS_MAX = 100_000  # of a rule written in the browser; longer lists belong in a file
RULE_TRIAL_EVENTS_MAX = 500  # stored events on which a rule being written is tried
RULE_EXAMPLES_MAX = 50  # records given with a rule in the browser
RULE_SET_FILES_MAX = 50_000  # of one imported set; the largest public one has 4,000
RULE_SET_BYTES_MAX = 128 * 1024 * 1024  # the same unpacked
ARCHIVE_ENTRIES_MAX = 200_000  # looked at in an archive of rules, also those passed over
RULE_PATH_CHARS_MAX = 400  # of a file's name in a set
RULE_VALUES_MAX = 20_000  # the longest public list has 4,432
CONDITION_CHARS_MAX = 4_000
CONDITION_DEPTH_MAX = 64
REGEX_CHARS_MAX = 4_000
EXPRESSIONS_KEPT_MAX = 8_192  # compiled ones, 12 kB each; 3,750 public rules have 700
ADDRESSES_KEPT_MAX = 8_192  # read ones, 300 bytes each: rules ask several networks about each
REGEX_PROGRAM_STEPS = 2_000  # a longer RE2 program is named by `cgii check`: it costs each event
RULE_DEPTH_MAX = 32  # maps and lists inside one selection
WINDASH_DASHES_MAX = 4  # each dash of a value makes five of it
VALUE_CACHE_ENTRIES_MAX = 16_384  # remembered values of one field of one class of events
VALUE_CACHE_CHARS_MAX = 8_192  # a longer value is looked at anew each time; scripts come again
VALUE_MEMORY_BYTES_MAX = 48 * 1024 * 1024  # of remembered values of all fields together
VALUE_ENTRY_BYTES = 200  # what one remembered value takes beside its own characters
RULES_LOOK_SECONDS = 3  # between two looks for changed rules; 4,000 files take 30 ms to look at
CACHED_FILES_MAX = 20_000  # rule files whose content is remembered; the public rules are 3,750
RECOLLECTIONS_MAX = 4_096  # verdicts on values, of one set of proposed rules
LINE_HITS_MAX = 8  # keywords found per line of a batch; with more each line is looked at alone
PLANS_MAX = 2_000  # classes of events with a plan in memory
TIMESPAN_SECONDS_MAX = 31 * 24 * 3600  # of one correlation
OBSERVABLES_MAX = 50  # of one alert
INDICATOR_CHARS_MAX = 400  # the width of its column
INDICATOR_PREFIX_MIN = {4: 8, 6: 19}  # a wider network would alert on half the Internet
INDICATOR_FILE_BYTES_MAX = 1024**3  # read line by line; a million lines take about 40 MB
INDICATOR_ROWS_AT_ONCE = 5_000  # of one statement while a list is taken in
INDICATOR_PROBLEMS_SHOWN = 20  # lines of a list that could not be read
INDICATOR_FINDINGS_MAX = 1_000  # of one batch: a list with a wrong value must not stop the batch
INDICATOR_FORM_VALUES_MAX = 20_000  # of one form: one transaction of about a second
INDICATOR_WAIT_MAX = 20_000  # so few are loaded while a batch waits, 0.1 s
INDICATOR_LATE_DAYS = 30  # expired so long ago, an indicator is no longer looked for in late events
EXPLANATION_FIELDS_MAX = 100  # reasons kept in one alert
RULE_ID_CHARS_MAX = 80  # the width of its column
KEY_CHARS_MAX = 500  # of one value by which alerts or windows are grouped
WINDOW_ENTRIES_MAX = 10_000  # events kept for one key of one correlation
WINDOW_SLACK_ENTRIES = 16  # events that may lie about before a window is tidied up
WINDOW_KEYS_MAX = 100_000  # live keys of one correlation
WINDOW_NAMES_KEPT_MAX = 4_096  # beginnings of their keys, and moments: 200 bytes each
LATE_TOLERANCE_SECONDS = 300  # out-of-order events within this give the same result as in order
ALERT_SAMPLES_MAX = 20  # event ids kept in one alert
ALERT_VALUES_MAX = 10  # different values that the alert of a correlation names
CORRELATION_RULES_MAX = 60  # rules that one correlation lists: a bit each in 64
CORRELATION_DEPTH_MAX = 5  # correlations over correlations over …
CORRELATED_CHARS_MAX = 64  # of a value that is counted or remembered; a longer one is shortened
SEEN_VALUES_MAX = 10_000  # values that first_seen remembers for one key
SEEN_SECONDS_MAX = 366 * 24 * 3600  # how far back first_seen may look
WINDOW_GRACE_SECONDS = 3600  # a window is kept this much longer, so that jobs may be behind
WINDOWS_DECIDED_AT_ONCE = 500  # ended windows that one transaction decides
TUNING_DAYS_MAX = 400  # a year and its review; a longer suppression is forgotten, not decided
TUNING_SAMPLES_MAX = 20  # hidden alerts that one row of tuning remembers
TUNING_KEY_PAIRS_MAX = 10  # fields of one suppression's key
TUNING_PREVIEW_ALERTS_MAX = 5_000  # stored alerts that a preview looks at, the newest first
GROUP_WINDOW_HOURS = 24  # alerts of one key further apart than this start a new group

# --- looking into files with YARA --------------------------------------------------------------
YARA_FILE_BYTES_MAX = 4 * 1024 * 1024  # of one file of rules; the largest public ones have 2 MB
YARA_FILES_MAX = 20_000  # files of rules in one set
YARA_SET_BYTES_MAX = 64 * 1024 * 1024  # of all of them together
YARA_COMPILE_SECONDS = 20  # for one file of rules, and for all of them together
YARA_START_SECONDS = 20  # until the child has loaded its libraries, on a machine that is busy
YARA_GRACE_SECONDS = 2  # the child stops by itself before it is killed
YARA_RULES_MAX = 100  # matches kept of one file
YARA_HITS_MAX = 10  # places kept of one match
YARA_HIT_BYTES_MAX = 4_096  # of what matched, hashed
YARA_MATCHES_PER_STRING_MAX = 10_000  # places counted of one string; libyara's own is a million
YARA_META_MAX = 50  # entries of one rule
YARA_TEXT_CHARS_MAX = 2_000  # of one of its texts
YARA_MEMBERS_MAX = 5_000  # looked into inside one file
YARA_MEMBER_BYTES_MAX = 64 * 1024 * 1024  # looked at of one member; it is held in memory
YARA_UNPACKED_BYTES_MAX = 256 * 1024 * 1024  # out of one file: a bomb ends here
YARA_ANSWER_BYTES_MAX = 8 * 1024 * 1024  # of one line from the child
YARA_BATCH_FILES = 32  # given to one child; each is a descriptor
EVIDENCE_SCANS_KEPT = 20  # of one piece of evidence, the newest
RESCAN_FILES_MAX = 200  # evidence looked at anew in one round, after a change of rules …
RESCAN_BYTES_MAX = 2 * 1024**3  # … or this much
BACKTEST_SECONDS_MAX = 3_600  # then it tells what it has found until there
BACKTEST_ALERTS_MAX = 100_000  # of a correlation, kept while a back-test runs
BACKTEST_KEYS_MAX = 50_000  # counted apart; the most frequent are shown
BACKTEST_SOURCES_MAX = 500  # with more in the store, none of them is ruled out
BACKTEST_DAYS_SHOWN = 400  # a longer interval shows only the days with alerts

# --- storing events ----------------------------------------------------------------------------
HOT_VALUE_CHARS_MAX = 512  # a longer value of an indexed field is found without the index
STORE_TRIES_MAX = 3  # a damaged file is set aside and the next one tried
STORE_WAIT_SECONDS = 30  # for another writer of the same file
STORE_UNFINISHED_SECONDS = 3_600  # so old, a month's file that is being made was given up
MONTH_EDGE_SECONDS = 3_600  # so near the turn of a month both files are locked while writing
SCAN_PAGE_EVENTS = 2_000  # held of each month while all events of a search are read
SCAN_SECONDS_MAX = 3_600  # for one such page: a rare event may be the only one in a large month
STORE_READERS_MAX = 16  # idle connections kept for reading, of all files together
BULK_DOCUMENTS_MAX = 1_000  # of one request to Elasticsearch …
BULK_BYTES_MAX = 5 * 1024 * 1024  # … and its size
BULK_SECONDS_MAX = 20  # of trying again; past it the sender keeps the batch, which waits 30
BULK_WAIT_SECONDS = (0.1, 5.0)  # between tries: it doubles from the first to the last, with jitter
ELASTIC_SECONDS_MAX = 30  # of one request that is no search
TERM_CHARS_MAX = 900  # of a value in Elasticsearch's index; Lucene searches for 1,000 at most
EVENT_VALUES_MAX = 5_000  # field and value pairs of one event; with more it is looked at itself
SCAN_ROWS = 500  # documents fetched at once when the index alone cannot tell

DISK_FREE_BYTES_MIN = 256 * 1024 * 1024  # below it this process says that it is not ready …
DISK_RESERVE_BYTES = (
    64 * 1024 * 1024
)  # … and here it takes no events: incidents go on being written

# --- searching ---------------------------------------------------------------------------------
QUERY_CHARS_MAX = 2_000
QUERY_DEPTH_MAX = 15  # SQLite reads 19 levels of AND, OR and NOT; Elasticsearch 30 of its own
QUERY_CONDITIONS_MAX = 200  # SQLite nests an expression 1,000 deep at most
QUERY_WILDCARDS_MAX = 8  # of `*` in one value
QUERY_SECONDS_MAX = 10  # of one search in one file or index; then it is stopped with a sentence
PAGE_ROWS = 50
PAGE_ROWS_MAX = 500
EXPORT_ROWS_MAX = 100_000
COUNT_ROWS_MAX = 10_000  # counted this far when a histogram takes too long
SAVED_VIEWS_MAX = 50  # per person; the menu that lists them stays readable
PIVOT_CHARS_MAX = 300  # a longer value is not offered as a condition of a search
HISTOGRAM_BUCKETS = 60
HISTOGRAM_SORTED_MAX = 200_000  # so many hits are sorted into steps; more are counted step by step
TOP_GROUPED_MAX = 20_000  # so many hits are grouped by value in the file; more are counted outside
TOP_ROWS_AT_ONCE = 200_000  # of those: their values are in memory together
TOP_VALUES_MAX = 500_000  # different ones that are counted in memory; more are grouped in the file
TOP_THREADS = 2  # that count them: the file is read without the lock of Python

# --- jobs --------------------------------------------------------------------------------------
JOB_LEASE_SECONDS = 120
JOB_TRIES_MAX = 5
JOB_BACKOFF_SECONDS = (5, 30, 120, 600)
JOB_KEEP_DAYS = 7  # of jobs that are done; long enough to look into last week
JOBS_AT_ONCE = 4  # of one `cgii work`; start more of them for more
JOB_SWEEP_ROWS = 500  # wake-ups published in one round

# --- mail --------------------------------------------------------------------------------------
MAIL_SECONDS_MAX = 30  # for each answer of the SMTP server
MAIL_LINE_CHARS_MAX = 200  # of a subject, or of a server's reason

# --- people ------------------------------------------------------------------------------------
PASSWORD_CHARS_MIN = 12
PASSWORD_CHARS_MAX = 256
SIGN_IN_TRIES_MAX = 10  # failures per account and per address …
SIGN_IN_WINDOW_SECONDS = 900  # … within this long
SESSION_HOURS_MAX = 12
SESSION_IDLE_HOURS_MAX = 4
SESSION_SEEN_SECONDS = 300  # "last seen" is written this often, not at every request
REQUESTS_PER_MINUTE_MAX = 600  # per person and process
PASSWORD_CHECKS_AT_ONCE_MAX = 4  # each takes 64 MB for a moment
TOTP_DRIFT_STEPS = 1  # a phone's clock may be 30 s off
DRAFT_BYTES_MAX = 256 * 1024  # of one form in the making
DRAFTS_MAX = 100  # per person; the oldest goes
SEARCH_HITS_MAX = 8  # per kind of thing, in the search of the top bar
MENU_ROWS_MAX = 500  # options of one choice field
ALERT_ROWS_SHOWN = 20  # alerts of one group on its page; the newest tell what goes on
TIMELINE_ROWS_SHOWN = 500  # entries on an incident's page, the newest

# --- playbooks ---------------------------------------------------------------------------------
PLAYBOOK_BYTES_MAX = 1024 * 1024
PLAYBOOK_STEPS_MAX = 200

# --- documents ---------------------------------------------------------------------------------
TEXT_CHARS_MAX = 20_000  # of one free text field
NAME_CHARS_MAX = 200

# --- ingest ------------------------------------------------------------------------------------
INGEST_AT_ONCE_MAX = 8  # batches under way in one process; the rest wait …
INGEST_WAIT_SECONDS = 10  # … this long before they are told to come again
INGEST_OWNER_AT_ONCE_MAX = 2  # of them of one entity, so that there is always room for others
INGEST_WAITING_MAX = 16  # batches of one entity that wait for a place; more are told 429
INGEST_BURST_SECONDS = 30  # of its pace that an entity may send at once
INGEST_OTHERS_SECONDS = 10  # somebody heard within this long still wants to be served
INGEST_POSTPONED_MAX = 10_000  # senders told to wait that are known again; some 2 MB
KEYS_KNOWN_MAX = 10_000  # keys of sensors that are remembered; some 4 MB
CHECKED_AT_ONCE_BYTES = 64 * 1024  # of a signed body: 0.2 ms, less than to hand it to a thread
INGEST_RETRY_SECONDS_MAX = 60  # asked of who floods; then it is looked at anew
INGEST_TOLD_SECONDS = 60  # between two lines in the log about one who floods
SEQ_MAX = 2**53  # JSON's exact integers

# --- serving -----------------------------------------------------------------------------------
CONNECTIONS_MAX = 1_000  # open at once in one web process; then the longest idle is closed

# --- plans -------------------------------------------------------------------------------------
PLAN_ITEMS_MAX = 500  # assets or risks of one plan; the largest real inventories are summaries
PLAN_YEAR_MIN = 2017  # the guidelines are of September 2017
PLAN_VALID_YEARS_MAX = 5  # no decision binds the centre for longer
PLAN_REMINDER_DAYS = (90, 30, 7, 1)  # before a plan's validity ends
MATURITY_MAX = 5  # levels 0 to 5

# --- measuring ---------------------------------------------------------------------------------
MEASURE_DAYS_MAX = 45  # a longer period is drawn by months, not by days
MEASURE_MONTHS_MAX = 60  # five years of months is the longest period asked for
PERCENTILE_90_MIN = 10  # below this many cases a P90 is one case's story, so it is hidden
SILENCE_HOURS = 24  # a source or sensor that says nothing for longer is listed as silent
SILENCE_LOOKBACK_DAYS = 90  # a source unheard of for longer is gone, not silent
BOARD_PANELS_MAX = 24

# --- noticing that a source fell silent ---------------------------------------------------------
SILENCE_WEEKS = 8  # of which the same hour says what is usual …
SILENCE_WEEKS_MIN = 3  # … and below which nothing is usual yet
SILENCE_SHARE = 0.1  # of what is usual; so little or less is silence
SILENCE_EVENTS_MIN = 50  # usual records without which nobody is missed: chance does not do that
SILENCE_LOOK_HOURS = 24  # whole hours looked back over to see so many
SILENCE_LOOKS_MIN = 3  # looks in an hour, of six, without which the centre itself was away then
SILENCE_FORGET_DAYS = 30  # then silence is what is usual there: more than half of the weeks
QUIET_DAYS_MAX = 62  # of one quiet window; a source that is away for longer is revoked
QUIET_WINDOWS_MAX = 1_000  # that are to come or last

# --- responding --------------------------------------------------------------------------------
SHORT_TEXT_CHARS_MAX = 400  # of a column for one line of text (model/table.py)
GROUP_OBSERVABLES_MAX = 50  # kept on one alert group; a scan would bring thousands
ATTRIBUTION_NOTES_MAX = 50  # addresses without an entity that one batch may put on the list
QUERY_VALUES_MAX = 500  # values in one IN (…), well below what SQLite takes
GARBAGE_OBJECTS = 10_000  # new ones between two looks for circles; Python itself takes 700
NOTICE_OBSERVABLES_MAX = 200  # of one notice; more belongs in an attached file
DEADLINES_PER_CHECK_MAX = 5_000  # open clocks that one job looks at, the most urgent first
DEADLINE_HOURS_MAX = 20_000  # of one policy: more than two years is a mistake in the file
CALENDAR_DAYS_MAX = 36_600  # days that working time is counted over: a century is a mistake
RUN_STEPS_MAX = 500  # steps that one run may reach
REHEARSAL_PATHS_MAX = 5_000  # ways through a playbook that a rehearsal walks
SIMILAR_INCIDENTS_MAX = 10
SIMILAR_DAYS = 90  # the same entity and class within this long is worth showing
MESSAGE_BODY_CHARS_MAX = 20_000  # of one mail
