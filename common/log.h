#pragma once

// logfmt on stderr, one line per event. error = a person must act, warn = we coped, info =
// lifecycle, debug = per message. No payloads, no secrets; values from outside are escaped here.

// Ascending, since log_line compares them.
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// Sets the least level that is printed (default info) and the program's name in each line.
// Called once, before any thread is started; `program` must stay where it is.
void log_init(const char *program, enum log_level least);

// Prints one line: msg, then key/value string pairs ending with NULL:
//   log_line(LOG_INFO, "list completed", "kind", kind, "items", count_text, NULL);
void log_line(enum log_level level, const char *message, ...) __attribute__((sentinel));
