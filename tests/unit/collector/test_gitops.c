// What Argo CD's and Flux's objects say, as JSON, and where an object says it comes from.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "collector/kinds.h"
#include "collector/object_origin.h"
#include "common/json.h"
#include "common/memory.h"

// JSON with ' for ".
static cJSON *parse(const char *text)
{
    struct error err;
    SCOPED(xfree_char) char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    cJSON *object = json_parse(copy, strlen(copy), 200, &err);
    if (object == NULL)
        fail_msg("test object is no JSON: %s", err.text);
    return object;
}

static const struct kind *kind_of(const char *name)
{
    size_t count;
    const struct kind *kinds = kinds_watched(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kinds[i].kind, name) == 0)
            return &kinds[i];
    }
    fail_msg("no kind %s", name);
    return NULL;
}

static void says(const char *kind, const char *object_text, const char *wanted_text)
{
    SCOPED(cJSON_Delete) cJSON *object = parse(object_text);
    SCOPED(cJSON_Delete) cJSON *wanted = parse(wanted_text);
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    kind_of(kind)->read_gitops(object, data);
    SCOPED(xfree_char) char *have = json_print(data);
    SCOPED(xfree_char) char *want = json_print(wanted);
    assert_string_equal(have, want);
}

#define NO_SOURCE "'url':null,'path':null,'target':null,'chart':null," UNREAD
#define UNREAD "'recurse':null,'shaping':null" // no source, so nothing of how it is read
#define PLAIN "'recurse':false,'shaping':null"
#define DEEP "'recurse':true,'shaping':null"
#define NOWHERE "'destination':{'local':null,'namespace':null},"
#define HERE "'destination':{'local':true,'namespace':null},"

static void an_application_of_several_sources(void **state)
{
    (void)state;
    says("Application",
         "{'spec':{'sources':[{'repoURL':'u1','path':'p'},{'repoURL':'u2','chart':'c',"
         "'targetRevision':'1.x'}]},'status':{'history':[{'id':7,'revisions':['r1','r2'],"
         "'sources':[{'repoURL':'u1'}],'deployStartedAt':'2025-12-31T23:59:58Z','deployedAt':'2026-"
         "01-01T00:00:00Z',"
         "'initiatedBy':{'username':'alice'}}],'operationState':{'phase':'Failed',"
         "'startedAt':'2026-01-02T00:00:00Z','syncResult':{'revisions':['r3','r4']},"
         "'operation':{'initiatedBy':{'automated':true}}}}}",
         "{" NOWHERE "'repositories':[{'url':'u1','path':'p','target':null,'chart':null," PLAIN "},"
         "{'url':'u2','path':null,'target':'1.x','chart':'c','recurse':false,'shaping':'helm'}],"
         "'syncs':["
         "{'id':'7','revision':'r1','started_at':'2025-12-31T23:59:58.999999Z','at':'2026-01-01T00:"
         "00:00.999999Z','initiated_by':'alice',"
         "'automated':false,'url':'u1','path':null,'target':null,'chart':null," PLAIN "},"
         "{'id':'7','revision':'r2','started_at':'2025-12-31T23:59:58.999999Z','at':'2026-01-01T00:"
         "00:00.999999Z','initiated_by':'alice',"
         "'automated':false," NO_SOURCE "}],'operation':{'phase':'Failed',"
         "'started_at':'2026-01-02T00:00:00.999999Z','finished_at':null,'revision':'r3',"
         "'initiated_by':null,'automated':true}}");
}

// Argo CD leaves the result of the operation before in place until there is another.
static void a_running_operation_has_no_result_yet(void **state)
{
    (void)state;
    says("Application",
         "{'status':{'operationState':{'phase':'Running','syncResult':{'revision':'old'},"
         "'operation':{'initiatedBy':{'username':'bob'},'sync':{'revision':'new'}}}}}",
         "{" NOWHERE
         "'repositories':[],'syncs':[],'operation':{'phase':'Running','started_at':null,"
         "'finished_at':null,'revision':'new','initiated_by':'bob','automated':false}}");
}

static void an_application_that_says_nothing(void **state)
{
    (void)state;
    static const char nothing[] = "{" NOWHERE "'repositories':[],'syncs':[],'operation':null}";
    says("Application", "{}", nothing);
    says("Application", "{'spec':[],'status':'x'}", nothing);
    says("Application", "{'spec':{'source':null},'status':{'history':{},'operationState':[]}}",
         "{" NOWHERE "'repositories':[{" NO_SOURCE "}],'syncs':[],'operation':null}");
    says("Application", "{'status':{'history':[1,{'revision':{},'deployedAt':'never'}]}}",
         "{" NOWHERE
         "'repositories':[],'syncs':[{'id':null,'revision':null,'started_at':null,'at':null,'"
         "initiated_by':null,"
         "'automated':false," NO_SOURCE "},{'id':null,'revision':null,'started_at':null,'at':null,"
         "'initiated_by':null,'automated':false," NO_SOURCE "}],'operation':null}");
}

static void flux_with_and_without_a_history(void **state)
{
    (void)state;
    says("Kustomization",
         "{'metadata':{'namespace':'f'},'spec':{'sourceRef':{'kind':'GitRepository','name':'g'},"
         "'path':'./p'},'status':{'lastAppliedRevision':'r2','history':["
         "{'firstReconciled':'2026-01-01T00:00:00Z','lastReconciledStatus':"
         "'ReconciliationSucceeded','metadata':{'revision':'r1'}},"
         "{'lastReconciledStatus':'ReconciliationFailed','metadata':{'revision':'r2'}}]}}",
         "{" HERE
         "'repositories':[{'url':null,'source':'GitRepository/f/g','path':'./p','chart':null,"
         "'target':null," DEEP "}],'syncs':[{'initiated_by':null,'automated':true," DEEP
         ",'id':null,"
         "'revision':'r1','at':'2026-01-01T00:00:00.999999Z'}],'operation':null}");
    says("Kustomization",
         "{'status':{'lastAppliedRevision':'r1','lastAttemptedRevision':'r2','conditions':["
         "{'type':'Ready','status':'False','reason':'BuildFailed'}]}}",
         "{" HERE
         "'repositories':[{'url':null,'source':null,'path':null,'chart':null,'target':null," DEEP
         "}],"
         "'syncs':[{'initiated_by':null,'automated':true," DEEP
         ",'id':null,'revision':'r1','at':null}],"
         "'operation':{'phase':'BuildFailed','started_at':null,'finished_at':null,"
         "'revision':'r2','initiated_by':null,'automated':true}}");
    says("GitRepository", "{'spec':{'url':'u','ref':{'branch':'main','tag':'v1'}}}",
         "{'destination':null,'repositories':[{'url':'u','path':null,'target':'v1'," DEEP
         "}],'syncs':[],'operation':null}");
    says("HelmRelease", "{'status':{'history':[{'version':2,'chartVersion':'1.4'}]}}",
         "{" HERE
         "'repositories':[{'url':null,'source':null,'path':null,'chart':null,'target':null,"
         "'recurse':true,'shaping':'helm'}],"
         "'syncs':[{'initiated_by':null,'automated':true," DEEP
         ",'id':'2','revision':'1.4','at':null}],"
         "'operation':null}");
}

// What the object with this spec says of where it applies to.
static void applies_to(const char *kind, const char *spec, const char *wanted)
{
    SCOPED(xfree_char) char *text = xasprintf("{'spec':%s}", spec);
    SCOPED(cJSON_Delete) cJSON *object = parse(text);
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    kind_of(kind)->read_gitops(object, data);
    SCOPED(xfree_char) char *have = json_print(json_get(data, "destination"));
    SCOPED(cJSON_Delete) cJSON *want_tree = parse(wanted);
    SCOPED(xfree_char) char *want = json_print(want_tree);
    assert_string_equal(have, want);
}

static void where_an_object_applies_to(void **state)
{
    (void)state;
    static const char here[] = "{'local':true,'namespace':'n'}";
    static const char elsewhere[] = "{'local':false,'namespace':null}";
    static const char unknown[] = "{'local':null,'namespace':null}";
    applies_to("Application",
               "{'destination':{'server':'https://kubernetes.default.svc','namespace':'n'}}", here);
    applies_to("Application", "{'destination':{'name':'in-cluster','namespace':'n'}}", here);
    applies_to("Application", "{'destination':{'name':'in-cluster','server':'','namespace':'n'}}",
               here);
    applies_to("Application", "{'destination':{'server':'https://10.0.0.1'}}", elsewhere);
    applies_to("Application", "{'destination':{'name':'c2','namespace':''}}", elsewhere);
    applies_to("Application", "{'destination':{'name':'','server':''}}", unknown);
    applies_to("Application", "{'destination':[]}", unknown);
    applies_to("Application", "{'destination':{'name':7}}", unknown);
    applies_to("Kustomization", "{'targetNamespace':'n','kubeConfig':null}", here);
    applies_to("Kustomization", "{'kubeConfig':{'secretRef':{'name':'c2'}}}", elsewhere);
    applies_to("HelmRelease", "{'targetNamespace':'n'}", here);
    applies_to("HelmRelease", "{'kubeConfig':{}}", elsewhere);
}

// How the only source of the object with this spec is read: "recurse", then what shapes it.
static void is_read(const char *kind, const char *spec, const char *wanted)
{
    SCOPED(xfree_char) char *text = xasprintf("{'spec':%s}", spec);
    SCOPED(cJSON_Delete) cJSON *object = parse(text);
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    kind_of(kind)->read_gitops(object, data);
    const cJSON *repository = json_get(data, "repositories")->child;
    const char *shaping = json_text(repository, "shaping");
    SCOPED(xfree_char)
    char *have = xasprintf("%s%s%s", json_bool(repository, "recurse", false) ? "recurse" : "",
                           shaping ? " " : "", shaping ? shaping : "");
    assert_string_equal(have, wanted);
}

static void what_argocd_makes_of_a_folder(void **state)
{
    (void)state;
    is_read("Application", "{'source':{}}", "");
    is_read("Application", "{'source':{'directory':{'recurse':true,'jsonnet':{}}}}", "recurse");
    is_read("Application", "{'source':{'directory':{'recurse':false,'include':''}}}", "");
    is_read("Application", "{'source':{'plugin':null,'helm':{'parameters':[]},'kustomize':{}}}",
            "");
    is_read("Application", "{'source':{'plugin':{}}}", " plugin");
    is_read("Application", "{'source':{'plugin':{'name':'p'},'helm':{'values':'x'}}}", " plugin");
    is_read("Application", "{'source':{'helm':{'valueFiles':['x']},'kustomize':{'images':['i']}}}",
            " helm");
    is_read("Application", "{'source':{'chart':'c','ref':'r'}}", " helm");
    is_read("Application", "{'source':{'kustomize':{'namePrefix':'x'},'ref':'r'}}", " kustomize");
    is_read("Application",
            "{'source':{'directory':{'recurse':true,'include':'*.yaml','exclude':"
            "'x'}}}",
            "recurse include");
    is_read("Application", "{'source':{'directory':{'exclude':'x','jsonnet':{'libs':['l']}}}}",
            " exclude");
    is_read("Application", "{'source':{'directory':{'jsonnet':{'tlas':[{'name':'x'}]}}}}",
            " jsonnet");
    is_read("Application", "{'source':{'ref':'values'}}", " ref");
}

static void what_flux_makes_of_a_folder(void **state)
{
    (void)state;
    is_read("Kustomization", "{}", "recurse");
    is_read("Kustomization",
            "{'patches':[],'postBuild':{'substitute':{}},'images':[],'components':[],"
            "'namePrefix':''}",
            "recurse");
    is_read("Kustomization", "{'patches':[{'patch':'p'}],'images':[{'name':'i'}]}",
            "recurse patches");
    is_read("Kustomization", "{'patchesStrategicMerge':[{'kind':'Model'}]}", "recurse patches");
    is_read("Kustomization", "{'patchesJson6902':[{'patch':[]}]}", "recurse patches");
    is_read("Kustomization", "{'postBuild':{'substituteFrom':[{'kind':'ConfigMap'}]},'images':[1]}",
            "recurse substitute");
    is_read("Kustomization", "{'images':[{'name':'i'}],'components':['c']}", "recurse images");
    is_read("Kustomization", "{'components':['c'],'namePrefix':'x'}", "recurse components");
    is_read("Kustomization", "{'namePrefix':'x'}", "recurse rename");
    is_read("Kustomization", "{'nameSuffix':'x'}", "recurse rename");
    is_read("HelmRelease", "{}", "recurse helm");
    is_read("GitRepository", "{}", "recurse");
}

// The spec's source may be another by now.
static void a_sync_is_read_as_its_own_source_says(void **state)
{
    (void)state;
    says("Application",
         "{'spec':{'source':{'path':'p','directory':{'recurse':true}}},'status':{'history':["
         "{'id':1,'source':{'path':'p','helm':{'releaseName':'x'}}},"
         "{'id':2,'source':{'path':'p','directory':{'recurse':true}}}]}}",
         "{" NOWHERE "'repositories':[{'url':null,'path':'p','target':null,'chart':null," DEEP
         "}],'syncs':[{'id':'1','revision':null,'started_at':null,'at':null,'initiated_by':null,"
         "'automated':false,'url':null,'path':'p','target':null,'chart':null,'recurse':false,"
         "'shaping':'helm'},{'id':'2','revision':null,'started_at':null,'at':null,"
         "'initiated_by':null,'automated':false,'url':null,'path':'p','target':null,'chart':"
         "null," DEEP "}],'operation':null}");
}

static void more_than_an_event_carries_is_left_out(void **state)
{
    (void)state;
    SCOPED(cJSON_Delete) cJSON *object = parse("{'status':{'history':[]}}");
    cJSON *history = cJSON_GetObjectItem(cJSON_GetObjectItem(object, "status"), "history");
    for (int i = 0; i < 1000; i++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddNumberToObject(entry, "id", i);
        cJSON_AddItemToArray(history, entry);
    }
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    kind_of("Application")->read_gitops(object, data);
    const cJSON *syncs = json_get(data, "syncs");
    assert_int_equal(cJSON_GetArraySize(syncs), 100);
    assert_string_equal(json_text(cJSON_GetArrayItem(syncs, 99), "id"), "999"); // the newest stay
}

// An entry of several sources makes a row of each, and the store bounds the rows.
static void many_sources_leave_room_for_fewer_syncs(void **state)
{
    (void)state;
    SCOPED(cJSON_Delete) cJSON *object = parse("{'status':{'history':[]}}");
    cJSON *history = cJSON_GetObjectItem(cJSON_GetObjectItem(object, "status"), "history");
    for (int i = 0; i < 30; i++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddNumberToObject(entry, "id", i);
        cJSON *revisions = cJSON_AddArrayToObject(entry, "revisions");
        for (int source = 0; source < 40; source++)
            cJSON_AddItemToArray(revisions, cJSON_CreateString("r"));
        cJSON_AddItemToArray(history, entry);
    }
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    kind_of("Application")->read_gitops(object, data);
    const cJSON *syncs = json_get(data, "syncs");
    assert_int_equal(cJSON_GetArraySize(syncs), 80); // two whole entries
    assert_string_equal(json_text(cJSON_GetArrayItem(syncs, 0), "id"), "28");
    assert_string_equal(json_text(cJSON_GetArrayItem(syncs, 79), "id"), "29");
}

// The object's metadata, and what is made of it.
static void comes_from(const char *metadata, const char *member, const char *wanted_text)
{
    SCOPED(xfree_char)
    char *text = xasprintf("{'metadata':{'name':'a','namespace':'n',%s}}", metadata);
    SCOPED(cJSON_Delete) cJSON *object = parse(text);
    SCOPED(cJSON_Delete) cJSON *wanted = parse(wanted_text);
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    object_origin_add(kind_of("Model"), object, data);
    SCOPED(xfree_char) char *have = json_print(json_get(data, member));
    SCOPED(xfree_char) char *want = json_print(wanted);
    assert_string_equal(have, want);
}

#define TRACKED(id) "'annotations':{'argocd.argoproj.io/tracking-id':'" id "'}"
#define ARGO(application, evidence)                                                                \
    "{'tool':'argocd','kind':'Application','application':'" application "','evidence':'" evidence  \
    "'}"

static void a_tracking_id_must_name_the_object(void **state)
{
    (void)state;
    comes_from(TRACKED("app:mlops.seldon.io/Model:n/a"), "gitops", ARGO("app", "tracking_id"));
    comes_from(TRACKED("ns_app:mlops.seldon.io/Model:n/a"), "gitops",
               ARGO("ns/app", "tracking_id"));
    comes_from(TRACKED("app:mlops.seldon.io/Model:n/b"), "gitops", "null");
    comes_from(TRACKED("app:mlops.seldon.io/Model:m/a"), "gitops", "null");
    comes_from(TRACKED("app:apps/Model:n/a"), "gitops", "null");
    comes_from(TRACKED(":mlops.seldon.io/Model:n/a"), "gitops", "null");
    comes_from(TRACKED("app"), "gitops", "null");
}

static void labels_name_applications(void **state)
{
    (void)state;
    comes_from("'labels':{'app.kubernetes.io/instance':'x'}", "gitops",
               ARGO("x", "instance_label"));
    comes_from("'labels':{'app.kubernetes.io/instance':'x'},"
               "'annotations':{'meta.helm.sh/release-name':'x'}",
               "gitops", "null");
    comes_from("'labels':{'kustomize.toolkit.fluxcd.io/name':'k',"
               "'kustomize.toolkit.fluxcd.io/namespace':'f','app.kubernetes.io/instance':'x'}",
               "gitops",
               "{'tool':'flux','kind':'Kustomization','application':'f/k','evidence':'labels'}");
    comes_from("'labels':{'helm.toolkit.fluxcd.io/name':'k'}", "gitops", "null");
    // Seldon marks namespaces, not objects.
    comes_from("'labels':{'seldon.gitops':'enabled'},'annotations':{'git-repo':'https://h/x'}",
               "gitops", "null");
}

static void claims_and_the_last_writer(void **state)
{
    (void)state;
    comes_from("'annotations':{'modeltrail.io/approved-by':'c','modeltrail.io/ticket':''}",
               "claims", "{'ticket':null,'requested_by':null,'approved_by':'c'}");
    comes_from("'annotations':{'x':'y'}", "claims", "null");
    comes_from("'managedFields':[{'manager':'old','operation':'Apply','time':"
               "'2026-01-01T00:00:00Z'},{'manager':'new','operation':'Update','time':"
               "'2026-01-02T00:00:00Z'},{'manager':'status','subresource':'status','time':"
               "'2026-01-03T00:00:00Z'},{'manager':7,'time':'2026-01-04T00:00:00Z'}]",
               "manager", "{'name':'new','operation':'Update','at':'2026-01-02T00:00:00.999999Z'}");
    comes_from("'managedFields':{}", "manager", "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_application_of_several_sources),
        cmocka_unit_test(a_running_operation_has_no_result_yet),
        cmocka_unit_test(an_application_that_says_nothing),
        cmocka_unit_test(flux_with_and_without_a_history),
        cmocka_unit_test(where_an_object_applies_to),
        cmocka_unit_test(what_argocd_makes_of_a_folder),
        cmocka_unit_test(what_flux_makes_of_a_folder),
        cmocka_unit_test(a_sync_is_read_as_its_own_source_says),
        cmocka_unit_test(more_than_an_event_carries_is_left_out),
        cmocka_unit_test(many_sources_leave_room_for_fewer_syncs),
        cmocka_unit_test(a_tracking_id_must_name_the_object),
        cmocka_unit_test(labels_name_applications),
        cmocka_unit_test(claims_and_the_last_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
