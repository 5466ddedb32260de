// The ladder of names (docs/naming.md): each rung gives what it knows, and what it leaves open
// comes from the rungs below. Normalising and pattern matching live in naming_uri.c and
// naming_rules.c.

#include "store/naming.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/text.h"
#include "store/naming_parts.h"

// 48 bits: enough to tell the artifacts of one model apart, short enough to read out.
#define HASH_DIGITS 12

static const char *const source_names[] = {
    [IDENTITY_LABEL] = "label", [IDENTITY_PATTERN] = "pattern", [IDENTITY_REGISTRY] = "registry",
    [IDENTITY_HF] = "hf",       [IDENTITY_OCI] = "oci",         [IDENTITY_URI] = "uri",
    [IDENTITY_IMAGE] = "image", [IDENTITY_UNKNOWN] = "unknown",
};

const char *identity_source_name(enum identity_source source)
{
    return source_names[source];
}

// One placement on its way down the ladder.
// Filled from the top of the ladder down; a rung never overwrites what a higher one said.
struct climb {
    const struct raw_placement *raw;
    struct fold_arena *arena;
    const char *place;  // normalised artifact without its artifact version; NULL: none
    const char *digest; // in the reference itself
    bool is_path;       // false: the scheme names models, so segments are no folders
    struct identity *out;
};

// Labels are few: a walk through them is enough. Empty ones name nothing.
static const char *label_of(const struct raw_placement *raw, const char *key)
{
    for (size_t i = 0; i < raw->label_count; i++) {
        if (strcmp(raw->labels[i].key, key) == 0)
            return raw->labels[i].value[0] != '\0' ? raw->labels[i].value : NULL;
    }
    return NULL;
}

// Takes what a rung knows; the highest rung that knows anything is the source.
static void take(struct climb *climb, enum identity_source source, const char *model,
                 const char *version)
{
    struct identity *out = climb->out;
    if (model == NULL && version == NULL)
        return;
    // One source for the whole name, though lower rungs may have filled in the rest.
    if (out->source == IDENTITY_UNKNOWN)
        out->source = source;
    if (out->model == NULL)
        out->model = model;
    if (out->version == NULL)
        out->version = version;
}

static const char *join(struct climb *climb, const char *left, const char *mark, const char *right)
{
    SCOPED_BUFFER out = {0};
    buffer_append_text(&out, left);
    buffer_append_text(&out, mark);
    buffer_append_text(&out, right);
    return fold_arena_bytes(climb->arena, out.data, out.length);
}

// A folder that the artifact version picks is another version of what the URI names.
static const char *with_artifact_version(struct climb *climb, const char *version)
{
    if (version == NULL || climb->raw->uri == NULL || climb->raw->artifact_version == NULL)
        return version;
    return join(climb, version, "#", climb->raw->artifact_version);
}

static void climb_labels(struct climb *climb)
{
    take(climb, IDENTITY_LABEL, label_of(climb->raw, "modeltrail.io/model"),
         label_of(climb->raw, "modeltrail.io/version"));
}

static void climb_patterns(struct climb *climb, const struct naming_rules *rules)
{
    const char *model;
    const char *version;
    if (climb->place != NULL &&
        naming_match_patterns(rules, climb->place, climb->arena, &model, &version))
        take(climb, IDENTITY_PATTERN, model, with_artifact_version(climb, version));
}

static const char *piece(struct climb *climb, const char *from, const char *to)
{
    return to > from ? fold_arena_bytes(climb->arena, from, (size_t)(to - from)) : NULL;
}

// models:/NAME/VERSION, models:/NAME@ALIAS (MLflow).
static void climb_mlflow(struct climb *climb)
{
    const char *name = climb->place + strlen("models:/");
    while (*name == '/')
        name++;
    const char *end = name + strcspn(name, "/@");
    const char *version = *end == '\0' ? NULL : piece(climb, end + 1, end + strlen(end));
    take(climb, IDENTITY_REGISTRY, piece(climb, name, end), with_artifact_version(climb, version));
}

// model-registry://NAME/VERSION, or with the registry's host in front: the last two segments count.
static void climb_model_registry(struct climb *climb)
{
    const char *path = climb->place + strlen("model-registry://");
    const char *last = strrchr(path, '/');
    if (last == NULL) {
        take(climb, IDENTITY_REGISTRY, piece(climb, path, path + strlen(path)), NULL);
        return;
    }
    const char *name = last;
    while (name > path && name[-1] != '/')
        name--;
    take(climb, IDENTITY_REGISTRY, piece(climb, name, last),
         with_artifact_version(climb, piece(climb, last + 1, last + strlen(last))));
}

// The URI's registry before the labels of Kubeflow's: what is loaded counts before what is said of
// it.
static void climb_registries(struct climb *climb)
{
    if (climb->place != NULL && text_starts_with(climb->place, "models:/"))
        climb_mlflow(climb);
    else if (climb->place != NULL && text_starts_with(climb->place, "model-registry://"))
        climb_model_registry(climb);
    const char *version = label_of(climb->raw, "modelregistry.kubeflow.org/model-version-id");
    if (version != NULL || label_of(climb->raw, "modelregistry.kubeflow.org/registered-model-id"))
        take(climb, IDENTITY_REGISTRY, label_of(climb->raw, "modelregistry.kubeflow.org/name"),
             version);
}

// hf://ORG/NAME@REVISION; a colon does as well. Without a revision the model is named all the same.
static void climb_hf(struct climb *climb)
{
    const char *name = climb->place + strlen("hf://");
    const char *end = name + strcspn(name, "@:");
    const char *version = *end == '\0' ? NULL : piece(climb, end + 1, end + strlen(end));
    take(climb, IDENTITY_HF, piece(climb, name, end), with_artifact_version(climb, version));
}

// The parts of HOST/REPOSITORY:TAG@DIGEST; borrowed pointers into the reference.
struct reference {
    const char *repository;
    const char *repository_end;
    const char *tag; // NULL: none
    const char *tag_end;
    const char *digest; // NULL: none
};

// A colon before the last slash belongs to the registry's port, not to a tag.
// registry:5000/team/fraud:1.2@sha256:... is the repository team/fraud, the tag 1.2 and the digest.
static struct reference split_reference(const char *text)
{
    struct reference parts = {.repository = text};
    const char *end = text + strlen(text);
    const char *at = strchr(text, '@');
    if (at != NULL) {
        parts.digest = at + 1;
        end = at;
    }
    const char *slash = text;
    for (const char *c = text; c < end; c++)
        slash = *c == '/' ? c : slash;
    const char *colon = memchr(slash, ':', (size_t)(end - slash));
    parts.repository_end = colon != NULL ? colon : end;
    if (colon != NULL) {
        parts.tag = colon + 1;
        parts.tag_end = end;
    }
    const char *host = memchr(text, '/', (size_t)(parts.repository_end - text));
    if (host != NULL)
        parts.repository = host + 1;
    return parts;
}

// Other digests prove nothing that we could check.
static bool is_sha256(const char *digest)
{
    uint8_t bytes[DIGEST_BYTES];
    return digest != NULL && text_starts_with(digest, "sha256:") &&
           hex_decode(digest + strlen("sha256:"), bytes, sizeof(bytes));
}

// The tag, unless it moves; else the digest's beginning; else NULL.
static const char *reference_version(struct climb *climb, const struct reference *parts)
{
    if (parts->tag != NULL) {
        const char *tag = piece(climb, parts->tag, parts->tag_end);
        // `latest` is another image tomorrow: as a version it would never change.
        if (tag != NULL && strcmp(tag, "latest") != 0)
            return tag;
    }
    if (!is_sha256(parts->digest))
        return NULL;
    return fold_arena_bytes(climb->arena, parts->digest + strlen("sha256:"), HASH_DIGITS);
}

// A model in an OCI artifact has its repository for a name; a server's image has not, since many
// models run on one image.
static void climb_oci(struct climb *climb)
{
    struct reference parts = split_reference(climb->place + strlen("oci://"));
    if (is_sha256(parts.digest))
        climb->digest = parts.digest;
    const char *version = reference_version(climb, &parts);
    if (climb->raw->uri == NULL) // the image of a server: its repository is not the model's name
        take(climb, IDENTITY_IMAGE, NULL, version);
    else
        take(climb, IDENTITY_OCI, piece(climb, parts.repository, parts.repository_end),
             with_artifact_version(climb, version));
}

// The rungs that any artifact has: a version-like segment, the artifact version, a hash.
// Always gives a version: with none, two artifacts at different places would look like one that
// never changed.
static void climb_place(struct climb *climb)
{
    bool is_image = climb->raw->uri == NULL;
    const char *version = climb->raw->artifact_version;
    if (climb->is_path) {
        const char *segment = naming_version_of_path(climb->place, climb->arena);
        if (segment != NULL)
            version = with_artifact_version(climb, segment);
    }
    if (version == NULL) {
        uint8_t digest[DIGEST_BYTES];
        char hex[DIGEST_HEX];
        digest_sha256(climb->place, strlen(climb->place), digest);
        hex_encode(digest, sizeof(digest), hex);
        version = fold_arena_bytes(climb->arena, hex, HASH_DIGITS);
    }
    take(climb, is_image ? IDENTITY_IMAGE : IDENTITY_URI, NULL, version);
}

// The last rungs. Which schemes name models and not folders is settled here, for climb_place.
static void climb_artifact(struct climb *climb)
{
    if (climb->place == NULL)
        return;
    climb->is_path = !text_starts_with(climb->place, "models:/") &&
                     !text_starts_with(climb->place, "model-registry://") &&
                     !text_starts_with(climb->place, "hf://") &&
                     !text_starts_with(climb->place, "oci://");
    if (text_starts_with(climb->place, "hf://"))
        climb_hf(climb);
    else if (text_starts_with(climb->place, "oci://"))
        climb_oci(climb);
    climb_place(climb);
}

// A URI says where the model is; an image counts only when nothing better does.
static const char *place_of(const struct raw_placement *raw, struct fold_arena *arena)
{
    if (raw->uri != NULL)
        return naming_normalise_uri(raw->uri, arena);
    return raw->image != NULL ? naming_normalise_image(raw->image, arena) : NULL;
}

// A graph's nodes are models of their own, so a node's name is part of the fallback's. The digest
// does not name anything: it is proof, beside the name.
void naming_of(const struct naming_rules *rules, const char *workload,
               const struct raw_placement *placement, struct fold_arena *arena,
               struct identity *out)
{
    *out = (struct identity){.source = IDENTITY_UNKNOWN};
    struct climb climb = {
        .raw = placement, .arena = arena, .place = place_of(placement, arena), .out = out};
    climb_labels(&climb);
    climb_patterns(&climb, rules);
    climb_registries(&climb);
    climb_artifact(&climb);
    if (out->model == NULL)
        out->model =
            placement->node == NULL ? workload : join(&climb, workload, "/", placement->node);
    out->artifact = climb.place;
    if (placement->uri != NULL && placement->artifact_version != NULL)
        out->artifact = join(&climb, climb.place, "#", placement->artifact_version);
    out->artifact_digest = label_of(placement, "modeltrail.io/digest");
    if (out->artifact_digest == NULL)
        out->artifact_digest = placement->digest != NULL ? placement->digest : climb.digest;
}

void naming_of_unknown(const char *workload, struct identity *out)
{
    *out = (struct identity){.model = workload, .source = IDENTITY_UNKNOWN};
}
