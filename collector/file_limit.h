#pragma once

#include <stddef.h>

// How many files the process may have open. Each watch holds a connection, and the usual soft limit
// of 1024 is there for programs that use select().

// Raises the soft limit to the hard one.
void file_limit_raise(void);

// Warns when so many watches may need more than is allowed, before they fail one by one.
void file_limit_check(size_t watches);
