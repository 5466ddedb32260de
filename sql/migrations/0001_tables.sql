-- The internal schema (docs/architecture.md). Every key begins with `log`; keys are deterministic, no sequences.
-- Programs connect as roles that inherit modeltrail_writer, modeltrail_reader or modeltrail_auditor.
-- Text is compared by bytes (COLLATE "C"): the same order on every machine, indexes that outlive an upgrade of
-- the C library's locales, and keys that compare in a fraction of the time.

CREATE SCHEMA modeltrail;

-- Control: the only tables whose rows the writer may update.

CREATE TABLE modeltrail.writer_lock (
    log smallint PRIMARY KEY
);
INSERT INTO modeltrail.writer_lock VALUES (1);

CREATE TABLE modeltrail.mark (
    log       smallint NOT NULL DEFAULT 1,
    collector text COLLATE "C" NOT NULL,
    epoch     bigint NOT NULL,      -- birth of the collector's spool, Unix milliseconds
    seq       bigint NOT NULL,      -- highest event committed
    chain     bytea NOT NULL,       -- hash chain at seq
    program   text COLLATE "C",                 -- the collector's version, from hello
    seen_at   timestamptz NOT NULL, -- last frame of any kind
    through   jsonb,                -- looks of the last beat (docs/events.md)
    clock_skew interval,            -- the collector's clock less ours when it last told; NULL = not told
    trouble   text COLLATE "C",                 -- what the last beat said is wrong; 'stopped' is a clean end
    PRIMARY KEY (log, collector, epoch)
);

-- Collectors of the allow-list that a store turned away: one row each, so that nobody fills the table.
CREATE TABLE modeltrail.refusal (
    log       smallint NOT NULL DEFAULT 1,
    collector text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL,        -- fork, not_allowed, too_large
    reason    text COLLATE "C" NOT NULL,
    epoch     bigint,               -- that it said hello with; NULL: none
    first_at  timestamptz NOT NULL, -- since when it is turned away
    last_at   timestamptz NOT NULL,
    count     bigint NOT NULL,
    PRIMARY KEY (log, collector)
);

-- What a person must mend at a store. One row for each store that ever was in trouble, for stores share one mark:
-- what one of them is in, another must not take back.
CREATE TABLE modeltrail.store_trouble (
    log       smallint NOT NULL DEFAULT 1,
    store     text COLLATE "C" NOT NULL,        -- its host and its first endpoint
    trouble   text COLLATE "C",                 -- NULL: it is mended
    since     timestamptz NOT NULL, -- it was first told
    told_at   timestamptz NOT NULL, -- told every ten seconds while it lasts and the store lives
    PRIMARY KEY (log, store)
);

-- The log.

CREATE TABLE modeltrail.event (
    log         smallint NOT NULL DEFAULT 1,
    log_index   bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    collector   text COLLATE "C" NOT NULL,
    epoch       bigint NOT NULL,
    seq         bigint NOT NULL,
    type        text COLLATE "C" NOT NULL,
    event_id    text COLLATE "C" NOT NULL,
    occurred_at timestamptz,
    quarantined text COLLATE "C",               -- why it could not be used; NULL when it was
    body_digest bytea NOT NULL,     -- SHA-256(salt || body)
    leaf_hash   bytea NOT NULL,     -- SHA-256(0x00 || canonical envelope), docs/architecture.md
    PRIMARY KEY (log, log_index)
) PARTITION BY RANGE (log_index);

CREATE TABLE modeltrail.event_body (
    log       smallint NOT NULL DEFAULT 1,
    log_index bigint NOT NULL,
    salt      bytea NOT NULL,
    body      bytea NOT NULL,       -- the event line as received
    data      json,                 -- what our C printed of it: facts without the raw object; NULL when quarantined
    PRIMARY KEY (log, log_index)
) PARTITION BY RANGE (log_index);

-- Facts: insert-only, derived from one event each. A workload is (cluster, resource, uid); in keys the
-- uid comes first, because it alone tells nearly all apart and is compared without collations.

CREATE TABLE modeltrail.workload (
    log       smallint NOT NULL DEFAULT 1,
    cluster   text COLLATE "C" NOT NULL,
    resource  text COLLATE "C" NOT NULL,        -- plural.group
    uid       uuid NOT NULL,
    log_index bigint NOT NULL,      -- first event that named it
    source    text COLLATE "C" NOT NULL DEFAULT 'kubernetes',
    kind      text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    name      text COLLATE "C" NOT NULL,
    owner_uid uuid,
    PRIMARY KEY (log, uid, cluster, resource)
);
CREATE INDEX workload_name ON modeltrail.workload (log, cluster, resource, namespace, name);

CREATE TABLE modeltrail.state (
    log        smallint NOT NULL DEFAULT 1,
    cluster    text COLLATE "C" NOT NULL,
    resource   text COLLATE "C" NOT NULL,
    uid        uuid NOT NULL,
    position   bigint NOT NULL,
    log_index  bigint NOT NULL,
    at         timestamptz NOT NULL,
    at_source  text COLLATE "C" NOT NULL,
    not_before timestamptz,
    extractor  integer NOT NULL,
    generation bigint,
    ready      boolean,
    removed    boolean NOT NULL,
    detail     json NOT NULL,       -- what else the fold reads: observed_generation, spec_at, placements, revisions, routes ...
    origin     json,                -- what the object says of where it comes from: gitops, claims, manager; for views
    PRIMARY KEY (log, uid, cluster, resource, position, log_index)
);

CREATE TABLE modeltrail.listing (
    log           smallint NOT NULL DEFAULT 1,
    cluster       text COLLATE "C" NOT NULL,
    resource      text COLLATE "C" NOT NULL,
    namespace     text COLLATE "C" NOT NULL,    -- '' = the whole cluster
    log_index     bigint NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    position      bigint NOT NULL,
    listed_at     timestamptz NOT NULL, -- upper bound: that of a slow clock is raised by its lag
    looked_at     timestamptz,          -- lower bound: as the clock told it; NULL = listed_at
    watched_since timestamptz,
    selector      text COLLATE "C",
    members       uuid[] NOT NULL,
    uid_from      uuid,
    uid_to        uuid,
    PRIMARY KEY (log, cluster, resource, namespace, log_index)
);

CREATE TABLE modeltrail.gap (
    log       smallint NOT NULL DEFAULT 1,
    log_index bigint NOT NULL,
    collector text COLLATE "C" NOT NULL,
    cluster   text COLLATE "C" NOT NULL,
    aspect    text COLLATE "C" NOT NULL,        -- state, actor
    namespace text COLLATE "C" NOT NULL,        -- '' = all
    resource  text COLLATE "C" NOT NULL,        -- '' = all
    from_at   timestamptz,
    to_at     timestamptz,
    reason    text COLLATE "C" NOT NULL,
    told_from timestamptz,                      -- from_at as told: what later words on the gap name it by
    PRIMARY KEY (log, log_index, namespace) -- of all that a collector may speak for: a row for each
);

CREATE TABLE modeltrail.watched (
    log           smallint NOT NULL DEFAULT 1,
    log_index     bigint NOT NULL,
    collector     text COLLATE "C" NOT NULL,
    cluster       text COLLATE "C" NOT NULL,
    aspect        text COLLATE "C" NOT NULL,
    source        text COLLATE "C" NOT NULL,
    namespace     text COLLATE "C" NOT NULL,    -- '' = all
    resource      text COLLATE "C" NOT NULL,    -- '' = all
    kind          text COLLATE "C",
    watched_since timestamptz NOT NULL,
    through       timestamptz NOT NULL,
    installed     boolean NOT NULL,
    PRIMARY KEY (log, log_index)
);

CREATE TABLE modeltrail.request (
    log             smallint NOT NULL DEFAULT 1,
    log_index       bigint NOT NULL,
    cluster         text COLLATE "C" NOT NULL,
    audit_id        text COLLATE "C" NOT NULL,
    stage           text COLLATE "C" NOT NULL,
    verb            text COLLATE "C" NOT NULL,
    resource        text COLLATE "C" NOT NULL,
    kind            text COLLATE "C",
    subresource     text COLLATE "C",
    namespace       text COLLATE "C",
    name            text COLLATE "C",
    uid             uuid,
    position        bigint,
    generation      bigint,
    removes         boolean NOT NULL,
    code            integer,
    message         text COLLATE "C",
    dry_run         boolean NOT NULL,
    at              timestamptz NOT NULL,
    principal       text COLLATE "C" NOT NULL,
    groups          text[] COLLATE "C",
    impersonated_by text COLLATE "C",
    via             text COLLATE "C" NOT NULL,
    user_agent      text COLLATE "C",
    source_ip       text COLLATE "C",
    evidence        text COLLATE "C" NOT NULL,  -- audit, admission
    level           text COLLATE "C",           -- audit level: Metadata, Request, RequestResponse; NULL unknown
    PRIMARY KEY (log, log_index)
);
CREATE INDEX request_uid ON modeltrail.request (log, uid, cluster, resource);
CREATE INDEX request_principal ON modeltrail.request (log, principal, at);

CREATE TABLE modeltrail.namespace_label (
    log       smallint NOT NULL DEFAULT 1,
    cluster   text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    position  bigint NOT NULL,
    log_index bigint NOT NULL,
    at        timestamptz NOT NULL,
    environment text COLLATE "C",               -- label modeltrail.io/environment
    labels    json NOT NULL,
    removed   boolean NOT NULL,
    gitops_tool       text COLLATE "C",         -- seldon: label seldon.gitops is enabled; else NULL
    gitops_repository text COLLATE "C",         -- annotation git-repo, without user and query; NULL where it is not told
    PRIMARY KEY (log, cluster, namespace, position, log_index)
);

-- What GitOps tools' own objects say, one row for each place that an object takes from (part 'source'), each
-- sync, and the operation that ran last. A sync may be told again; it has the same sync_id, or revision and time.
CREATE TABLE modeltrail.gitops_sync (
    log          smallint NOT NULL DEFAULT 1,
    log_index    bigint NOT NULL,
    ordinal      integer NOT NULL,               -- within the event
    cluster      text COLLATE "C" NOT NULL,
    tool         text COLLATE "C" NOT NULL,      -- argocd, flux
    resource     text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    namespace    text COLLATE "C" NOT NULL,
    name         text COLLATE "C" NOT NULL,
    uid          uuid NOT NULL,
    position     bigint NOT NULL,
    observed_at  timestamptz NOT NULL, -- upper bound of when the object said so
    removed      boolean NOT NULL,
    part         text COLLATE "C" NOT NULL,      -- source, sync, operation
    sync_id      text COLLATE "C",
    revision     text COLLATE "C",
    at           timestamptz,          -- upper bound of when the sync was done; NULL: observed_at is
    phase        text COLLATE "C",               -- of an operation
    started_at   timestamptz,
    finished_at  timestamptz,
    initiated_by text COLLATE "C",
    automated    boolean,
    url          text COLLATE "C",               -- of the repository
    source       text COLLATE "C",               -- KIND/NAMESPACE/NAME of the object that names the repository
    path         text COLLATE "C",
    chart        text COLLATE "C",
    target       text COLLATE "C",               -- branch, tag or version that is followed
    is_local     boolean,              -- it applies to its own cluster; NULL: not told
    target_namespace text COLLATE "C",           -- of manifests that name none (Flux: of all)
    recurses     boolean,              -- folders in the folder count
    shaping      text COLLATE "C",               -- why manifests are not applied as they stand: helm, kustomize ...; NULL: they are
    PRIMARY KEY (log, log_index, ordinal)
);

-- Commits of the watched branches, older before newer. One that is read again (another spool, a rewritten branch)
-- has a row each time.
CREATE TABLE modeltrail.commit (
    log             smallint NOT NULL DEFAULT 1,
    log_index       bigint NOT NULL,
    cluster         text COLLATE "C" NOT NULL,   -- that its collector speaks for
    repository      text COLLATE "C" NOT NULL,   -- without credentials
    branch          text COLLATE "C" NOT NULL,
    commit_id       text COLLATE "C" NOT NULL,
    parents         text[] COLLATE "C",
    mainline        boolean NOT NULL, -- on the branch's first-parent line
    brought         text[] COLLATE "C",          -- commits that this merge brought to it
    author_name     text COLLATE "C",
    author_email    text COLLATE "C",
    authored_at     timestamptz,      -- as the author's clock said
    committer_name  text COLLATE "C",
    committer_email text COLLATE "C",
    committed_at    timestamptz,
    signature       text COLLATE "C" NOT NULL,   -- good, bad, unknown_key, none, unverified
    signer          text COLLATE "C",
    subject         text COLLATE "C",
    tickets         text[] COLLATE "C",
    approved_by     text[] COLLATE "C",
    co_authored_by  text[] COLLATE "C",
    signed_off_by   text[] COLLATE "C",
    rewrote         text COLLATE "C",            -- head that the branch had before its history was rewritten
    collector       text COLLATE "C" NOT NULL,
    PRIMARY KEY (log, log_index)
);
CREATE INDEX commit_id ON modeltrail.commit (log, commit_id);

-- Paths that a commit touched, one row for each object that it changed there; of a path whose objects are not
-- known (rendered false) one row without an object.
CREATE TABLE modeltrail.commit_path (
    log           smallint NOT NULL DEFAULT 1,
    log_index     bigint NOT NULL,
    ordinal       integer NOT NULL,              -- within the event
    cluster       text COLLATE "C" NOT NULL,
    repository    text COLLATE "C" NOT NULL,
    branch        text COLLATE "C" NOT NULL,
    commit_id     text COLLATE "C" NOT NULL,
    path          text COLLATE "C" NOT NULL,
    folder        text COLLATE "C",              -- the configuration's name of the folder that the path is in
    path_change   text COLLATE "C",              -- added, modified, removed, retyped
    rendered      boolean NOT NULL,  -- the path's objects are what the cluster gets; false: not known
    api_group     text COLLATE "C",
    kind          text COLLATE "C",
    namespace     text COLLATE "C",              -- NULL: the manifest names none
    name          text COLLATE "C",
    object_change text COLLATE "C",              -- added, modified, removed, moved
    moved_from    text COLLATE "C",              -- the path of the same commit that lost it; NULL: none did
    moved_to      text COLLATE "C",              -- the path that got it; NULL: it did not move away from here
    PRIMARY KEY (log, log_index, ordinal)
);

-- The central file, as facts of the event that applied it. The newest by log index is in force.

CREATE TABLE modeltrail.central (
    log        smallint NOT NULL DEFAULT 1,
    log_index  bigint NOT NULL,
    applied_by text COLLATE "C" NOT NULL,
    applied_at timestamptz NOT NULL,
    from_at    timestamptz,         -- NULL: from when it was applied
    content    json NOT NULL,
    PRIMARY KEY (log, log_index)
);

CREATE TABLE modeltrail.environment (
    log        smallint NOT NULL DEFAULT 1,
    log_index  bigint NOT NULL,     -- of the central event
    name       text COLLATE "C" NOT NULL,
    sort_order integer,
    PRIMARY KEY (log, log_index, name)
);

CREATE TABLE modeltrail.environment_map (
    log         smallint NOT NULL DEFAULT 1,
    cluster     text COLLATE "C" NOT NULL,
    namespace   text COLLATE "C" NOT NULL,      -- '' = the whole cluster
    from_at     timestamptz NOT NULL, -- '-infinity' for the first mapping of a scope (R23)
    log_index   bigint NOT NULL,
    environment text COLLATE "C",               -- NULL: the scope is no longer mapped
    PRIMARY KEY (log, cluster, namespace, from_at, log_index)
);

CREATE TABLE modeltrail.person (
    log       smallint NOT NULL DEFAULT 1,
    log_index bigint NOT NULL,
    person    text COLLATE "C" NOT NULL,        -- person or service name
    kind      text COLLATE "C" NOT NULL,        -- human, ci, gitops, controller, system, shared, service
    principal text COLLATE "C" NOT NULL,        -- of a rule: its pattern
    is_rule   boolean NOT NULL DEFAULT false,
    rank      integer NOT NULL DEFAULT 0,       -- of a rule: its place in the file; the first that matches counts
    from_at   timestamptz,          -- as the entry itself says; NULL: it leaves that to the file
    PRIMARY KEY (log, log_index, principal, is_rule)
);

CREATE TABLE modeltrail.person_map (
    log       smallint NOT NULL DEFAULT 1,
    name      text COLLATE "C" NOT NULL,        -- principal, or pattern of a rule
    is_rule   boolean NOT NULL,
    from_at   timestamptz NOT NULL, -- '-infinity' for the first mapping of a name (R23)
    log_index bigint NOT NULL,
    since     timestamptz NOT NULL, -- when the file that says so took effect: later than from_at where that reaches back
    rank      integer,
    person    text COLLATE "C",                 -- of a rule: \1 ... stand for its groups; NULL: no longer mapped
    kind      text COLLATE "C",
    PRIMARY KEY (log, name, is_rule, from_at, log_index)
);

-- Belief: what the fold computes of the facts. May be dropped and rebuilt (`modeltrail-store rebuild`).

CREATE TABLE modeltrail.placement (
    log               smallint NOT NULL DEFAULT 1,
    cluster           text COLLATE "C" NOT NULL,
    resource          text COLLATE "C" NOT NULL,
    uid               uuid NOT NULL,
    row_key           bytea NOT NULL, -- SHA-256 of component and identity (R11)
    from_position     bigint NOT NULL,
    placement_id      text COLLATE "C" NOT NULL,  -- 'd-' and 16 hex digits: SHA-256(cluster, resource, uid, row_key, from_position)
    component         text COLLATE "C" NOT NULL,
    model             text COLLATE "C" NOT NULL,
    version           text COLLATE "C",           -- NULL: unknown
    artifact          text COLLATE "C",           -- NULL: none or unknown
    artifact_digest   text COLLATE "C",
    identity_source   text COLLATE "C" NOT NULL,
    unknown_revision  text COLLATE "C",
    role              text COLLATE "C" NOT NULL,
    traffic_percent   numeric,
    stopped           boolean NOT NULL,
    state             text COLLATE "C" NOT NULL,
    replicas          integer,        -- at the row's last position
    image             text COLLATE "C",
    to_position       bigint,
    valid_from        timestamptz NOT NULL,
    valid_from_after  timestamptz,
    valid_to          timestamptz,
    valid_to_after    timestamptz,
    deployed_position bigint NOT NULL,
    deployed_at       timestamptz NOT NULL,
    deployed_after    timestamptz,
    time_source       text COLLATE "C" NOT NULL,  -- of deployed_at
    ready_at          timestamptz,
    recorded_index    bigint NOT NULL, -- log index that first let the row be known: reading chosen at from_position
    revised_index     bigint NOT NULL,
    PRIMARY KEY (log, uid, cluster, resource, row_key, from_position)
);
CREATE INDEX placement_open ON modeltrail.placement (log, model, version) WHERE valid_to IS NULL;
CREATE INDEX placement_model ON modeltrail.placement (log, model, valid_from);
CREATE INDEX placement_artifact ON modeltrail.placement USING hash (artifact);
CREATE INDEX placement_id ON modeltrail.placement (log, placement_id);

CREATE TABLE modeltrail.route (
    log            smallint NOT NULL DEFAULT 1,
    cluster        text COLLATE "C" NOT NULL,
    resource       text COLLATE "C" NOT NULL,
    uid            uuid NOT NULL,
    target_kind    text COLLATE "C" NOT NULL,
    target         text COLLATE "C" NOT NULL,
    role           text COLLATE "C" NOT NULL,
    from_position  bigint NOT NULL,
    percent        numeric,
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz,
    recorded_index bigint NOT NULL,
    revised_index  bigint NOT NULL,
    PRIMARY KEY (log, uid, cluster, resource, target_kind, target, role, from_position)
);

CREATE TABLE modeltrail.change (
    log                  smallint NOT NULL DEFAULT 1,
    cluster              text COLLATE "C" NOT NULL,
    resource             text COLLATE "C" NOT NULL,
    uid                  uuid NOT NULL,
    position             bigint NOT NULL,
    component            text COLLATE "C" NOT NULL,
    change_id            text COLLATE "C" NOT NULL, -- 'c-' and 16 hex digits: SHA-256(cluster, resource, uid, position, component)
    change_type          text COLLATE "C" NOT NULL, -- deployed, upgraded, rolled_back, reconfigured, removed
    reason               text COLLATE "C",
    happened_at          timestamptz NOT NULL,
    happened_after       timestamptz,
    time_source          text COLLATE "C" NOT NULL,
    from_model           text COLLATE "C",
    to_model             text COLLATE "C",
    from_version         text COLLATE "C",
    to_version           text COLLATE "C",
    from_artifact        text COLLATE "C",
    to_artifact          text COLLATE "C",
    role                 text COLLATE "C" NOT NULL,
    from_traffic_percent numeric,
    to_traffic_percent   numeric,
    recorded_index       bigint NOT NULL,
    revised_index        bigint NOT NULL,
    PRIMARY KEY (log, uid, cluster, resource, position, component)
);
CREATE INDEX change_time ON modeltrail.change (log, happened_at);
CREATE INDEX change_id ON modeltrail.change (log, change_id);

-- One row per request that may have made the changes at a position; strength exact, unique or
-- ambiguous; executed: a controller's, on behalf of the row that is unique.
CREATE TABLE modeltrail.attribution (
    log           smallint NOT NULL DEFAULT 1,
    cluster       text COLLATE "C" NOT NULL,
    resource      text COLLATE "C" NOT NULL,
    uid           uuid NOT NULL,
    position      bigint NOT NULL,
    request_index bigint NOT NULL,
    strength      text COLLATE "C" NOT NULL,
    PRIMARY KEY (log, uid, cluster, resource, position, request_index)
);
CREATE INDEX attribution_request ON modeltrail.attribution (log, request_index);

-- What the fold must remember of a workload to go on behind `position` without reading its history.
CREATE TABLE modeltrail.checkpoint (
    log       smallint NOT NULL DEFAULT 1,
    cluster   text COLLATE "C" NOT NULL,
    resource  text COLLATE "C" NOT NULL,
    uid       uuid NOT NULL,
    position  bigint NOT NULL,
    content   text COLLATE "C" NOT NULL, -- the fold checks it as it reads: PostgreSQL need not parse it too
    PRIMARY KEY (log, uid, cluster, resource)
);
