// The table of commands, and the course that most of them take.

#include "query/command.h"

#include <stdio.h>
#include <string.h>

#include "query/output.h"

#define TIMES "Times are RFC 3339, a date, or an age such as 3d: see 'modeltrail help times'."

static const struct command commands[] = {
    {"where", "MODEL[@VERSION] | URI", "where a model lives, since when, who deployed it",
     "One row per deployment. URI finds by artifact, sha256:... by content.\n" TIMES, 1, 1,
     FLAGS_ANSWER | FLAGS_SCOPE | FLAG_AS_OF, where_run},
    {"who", "PERSON", "what one person did, under any of their names",
     "Changes, and requests that made none: refused, failed, dry runs, or accepted but moving no "
     "model.\nNewest first; PERSON is a name, any of its principals, or an address in any case.\n"
     "--counts prints one row per environment instead.\n" TIMES,
     1, 1, FLAGS_ANSWER | FLAGS_SCOPE | FLAG_AS_OF | FLAG_RANGE | FLAG_COUNTS, who_run},
    {"history", "MODEL[@VERSION]", "every change of a model, with actor and evidence",
     "Newest first.\n" TIMES, 1, 1, FLAGS_ANSWER | FLAGS_SCOPE | FLAG_AS_OF | FLAG_RANGE,
     history_run},
    {"matrix", "", "models x environments",
     "A cell names the versions that live there; what is not plainly live says so in "
     "parentheses.\n" TIMES,
     0, 0, FLAGS_ANSWER | FLAGS_SCOPE | FLAG_AS_OF, matrix_run},
    {"list", "NOUN", "everything of one sort", NULL, 1, 1, FLAGS_ANSWER, list_run},
    {"show", "ID", "one change, deployment, request or event: the whole chain, and its raw object",
     "ID is a change (c-...), a deployment (d-...), an attempt (a-...), a request (r-...) or an "
     "event\n(COLLECTOR:EPOCH:SEQ). Of a change or deployment: the chain link by link, and what "
     "differs from the\nreading before. Raw objects and what differs need membership in "
     "modeltrail_auditor.",
     1, 1, FLAG_OUTPUT | FLAG_CONNECTION | FLAG_RAW | FLAG_HELP, show_run},
    {"doctor", "[KEY_FILE...]", "checks the database, the collectors and their coverage",
     "Exit code 1 when a check failed; warnings do not count. Of key files (those named, else\n"
     "/etc/modeltrail/*.key) only the rights are looked at.",
     0, WORDS_MAX, FLAG_OUTPUT | FLAG_CONNECTION | FLAG_HELP, doctor_run},
    {"version", "", "prints the program's version", NULL, 0, 0, FLAG_HELP, version_run},
    {"help", "[TOPIC]", "explains a command or topic", NULL, 0, 2, FLAG_HELP, help_run},
};

const struct command *command_at(size_t index)
{
    return index < sizeof(commands) / sizeof(*commands) ? &commands[index] : NULL;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; command_at(i) != NULL; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

// Notes come before the answer, so that whoever sees it scroll past has been told what it rests on.
enum exit_code command_answer(const struct flags *flags, const struct question *question,
                              command_after *after, struct error *err)
{
    SCOPED(session_close) struct session *session = NULL;
    enum exit_code code = session_open(flags, question->resource->aspect,
                                       question->resource->flags & FLAG_RANGE, &session, err);
    if (code != EXIT_YES)
        return code;
    SCOPED_ANSWER answer = {0};
    code = question_ask(session, flags, question, &answer, err);
    if (code != EXIT_YES)
        return code;
    session_talk(session, question->resource->aspect != NULL);
    output_print(session, flags, &answer, stdout);
    if (after != NULL)
        code = after(&answer, format_is_for_people(flags->format));
    enum exit_code conclusion = question_conclude(session, flags, question, &answer);
    return conclusion == EXIT_YES ? code : conclusion;
}
