// How well each cluster can prove who did it, and what would lead further. It is information: only
// what was proven before and is not now is a warning. The levels themselves are the schema's (view
// attribution_levels).

#include "query/doctor_attribution.h"

// clang-format off
#define INSTANT(at) "to_char(" at " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

// "12 exact (86 %)"; NULL when there is none.
#define SHARE(word)                                                                                \
    "nullif(" word "_changes, 0) || ' " word " (' || round(100.0 * " word "_changes / nullif(changes, 0)) || ' %)'"

// What became of the changes: a level that holds in name only shows here.
#define SHARES                                                                                     \
    "CASE changes WHEN 0 THEN 'no change in 30 days' ELSE 'changes of 30 days: ' || concat_ws(', ',"\
    " " SHARE("exact") ", " SHARE("unique") ", " SHARE("ambiguous") ", " SHARE("missing") ","       \
    " " SHARE("pending") ", " SHARE("not_collected") ") END"

// Everything about one cluster. That no who-source is live is told by the check of actors too, for each scope.
#define LEVEL                                                                                      \
    "concat_ws('; ', cluster || ': ' || coalesce(meaning, 'nothing was observed yet'),"            \
    " nullif(array_to_string(parts, '; '), ''), 'last write ' || " INSTANT("last_write_at") ","    \
    " CASE WHEN NOT is_live AND level <> 'watch' THEN 'no who-source is live' END, " SHARES ","    \
    " 'less than before: ' || nullif(array_to_string(fell, ', '), ''))"

#define HINTS(name, hint, none)                                                                    \
    "SELECT '" name "' AS check_name, 'ok' AS status,"                                             \
    " coalesce(string_agg(format('%s: %s (%s%s)', cluster, subject,"                               \
    "   array_to_string(applications[:3], ', '),"                                                  \
    "   CASE WHEN cardinality(applications) > 3 THEN ' ...' ELSE '' END), '; ' ORDER BY cluster, subject),"\
    "  '" none "') AS detail,"                                                                     \
    " string_agg(DISTINCT next_step, '; ') AS next_step"                                           \
    " FROM modeltrail_v1.attribution_hints WHERE hint = '" hint "'"

const char *const doctor_attribution_checks[DOCTOR_ATTRIBUTION_CHECKS] = {
    // A row for each cluster: their steps differ, and so do their owners.
    "SELECT 'attribution' AS check_name, CASE WHEN fell <> '{}' THEN 'warn' ELSE 'ok' END AS status,"
    " CASE WHEN cluster IS NULL THEN 'no cluster is known' ELSE " LEVEL " END AS detail,"
    " coalesce(next_step, CASE WHEN level IS NULL AND cluster IS NOT NULL THEN 'start its collector' END) AS next_step"
    " FROM (VALUES (1)) AS one LEFT JOIN modeltrail_v1.attribution_levels ON true",

    HINTS("gitops", "unmapped_service",
          "every service account that writes objects of applications is mapped, or none was seen"),

    HINTS("repositories", "undeclared_repository",
          "commits of every application''s repository are told, or no application was seen"),
};
// clang-format on
