//! The metrics of every process, and those of a database's connection pool.

crate::metric_table! {
    /// What every process measures, and what a process with a database measures besides.
    pub static METRICS;

    READY: Gauge = "portcullis_ready" [], "Whether the process takes work.";
    BUILD_INFO: Gauge = "portcullis_build_info" ["version"], "The version that runs; always 1.";
    LOG_LINES_DROPPED: Counter = "portcullis_log_lines_dropped_total" [],
        "Log lines that nobody read fast enough.";

    // Under the names that Prometheus' client libraries agreed on.
    CPU_SECONDS: Counter = "process_cpu_seconds_total" [], "Processor time used.";
    THREADS: Gauge = "process_threads" [], "Threads.";
    START_TIME: Gauge = "process_start_time_seconds" [], "When the process started, since the Unix epoch.";
    RESIDENT_MEMORY: Gauge = "process_resident_memory_bytes" [], "Memory in use.";
    OPEN_FILES: Gauge = "process_open_fds" [], "Open files and sockets.";
    MOST_FILES: Gauge = "process_max_fds" [], "Most files and sockets it may open.";

    CONNECTIONS: Gauge = "portcullis_database_connections" ["state"], "Open connections to the database.";
    CONNECTIONS_LIMIT: Gauge = "portcullis_database_connections_limit" [], "Beyond it, callers wait.";
}
