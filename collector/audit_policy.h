#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collector/span.h"
#include "common/error.h"

// What our ValidatingAdmissionPolicy (deploy/kubernetes/attribution-policy.yaml) wrote into the
// annotations of an audit event. It is there at every audit level.

struct audit_policy {
    bool applied;       // the policy saw the request
    bool created;       // it saw the object come to be
    char *uid;          // NULL: not told
    int64_t generation; // that the request leads to; 0: it raises none, or it is not told
    bool dry_run;
};

// Reads the annotations; `created` says that the answer was 201, which decides between a create and
// an update where the API server tried both. REJECT when they are no object. The caller resets.
bool audit_policy_read(struct span annotations, bool created, struct audit_policy *policy,
                       struct error *err) WARN_UNUSED;
void audit_policy_reset(struct audit_policy *policy);
