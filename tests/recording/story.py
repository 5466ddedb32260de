"""The story itself: models go from dev over staging to prod, in time order.

README.md has it as a table, expected.json says what modeltrail must make of it. The names of the
steps tie the three together.
"""

from actors import Actor, Book, KServeController, SeldonOperator, SeldonScheduler
from manifests import (artifact, core2_model, experiment, fraud_scorer, inference_service,
                       model_form, multi_model_host, old_form, sentiment, tracked,
                       trained_model)
from support import kube, rbac

CAROL_AT_C2 = "arn:aws:sts::111122223333:assumed-role/MLPlatform/carol"
DEV, STAGING, PROD, SCORING = "risk-dev", "risk-staging", "risk-prod", "scoring"
KUBECTL = ("kubectl/v1.34.4 (linux/amd64) kubernetes/a1b2c3d", "kubectl-client-side-apply")
ARGO_AGENT = ("argocd-application-controller/v2.14.2", "argocd-controller")
CI_AGENT = ("ci-deployer/1.8.0", "ci-deployer")


class Stage:
    """One cluster with everybody who acts there."""

    def __init__(self, cluster: kube.Cluster, book: Book):
        people = [user for user in cluster.users if user in (*kube.PEOPLE, CAROL_AT_C2)]
        for user in people:
            name = "carol" if user == CAROL_AT_C2 else user
            setattr(self, name, Actor(cluster, user, book, *KUBECTL))
        self.ci = Actor(cluster, kube.CI, book, *CI_AGENT)
        self.argocd = Actor(cluster, kube.ARGOCD, book, *ARGO_AGENT)
        self.seldon = SeldonOperator(cluster, book)
        self.core2 = SeldonScheduler(cluster, book)
        self.kserve = KServeController(cluster, book)


def prepare_c1(cluster: kube.Cluster) -> None:
    """Three namespaces, one for each environment. Only Argo CD and carol may write in prod."""
    for name, environment in ((DEV, "dev"), (STAGING, "staging"), (PROD, "prod")):
        cluster.create_namespace(name, {"team": "risk", "modeltrail.io/environment": environment})
    for user, namespaces in (("alice", (DEV, STAGING)), ("bob", (DEV,)), (kube.CI, (STAGING,)),
                             (kube.ARGOCD, (PROD,)), ("carol", (DEV, STAGING, PROD))):
        cluster.grant(user, rbac.WRITER, *namespaces)
    for controller in kube.CONTROLLERS:
        cluster.grant(controller, rbac.CONTROLLER)


def prepare_c2(cluster: kube.Cluster) -> None:
    """One namespace of a cluster that is prod as a whole; bob has no rights here."""
    cluster.create_namespace(SCORING, {"team": "risk"})
    for user in (kube.ARGOCD, CAROL_AT_C2):
        cluster.grant(user, rbac.WRITER, SCORING)
    for controller in kube.CONTROLLERS:
        cluster.grant(controller, rbac.CONTROLLER)


def tell(c1: Stage, c2: Stage, book: Book) -> None:
    first_versions(c1, c2, book)
    fraud_scorer_moves_on(c1, book)
    credit_risk_canary(c1, book)
    churn_is_compared(c1, book)
    the_end(c1, c2, book)


def first_versions(c1: Stage, c2: Stage, book: Book) -> None:
    with book.step("fraud-dev-first"):
        c1.alice.client_apply(fraud_scorer(DEV, "dev", "1.3.0"))
        c1.seldon.available(DEV, "fraud-scorer")
    with book.step("fraud-staging-first"):
        c1.ci.server_apply(fraud_scorer(STAGING, "staging", "1.3.0"), code=201)
        c1.seldon.available(STAGING, "fraud-scorer")
    with book.step("fraud-prod-first"):
        c1.argocd.client_apply(tracked(fraud_scorer(PROD, "prod", "1.3.0")))
        c1.seldon.available(PROD, "fraud-scorer")
    with book.step("fraud-c2-first"):
        c2.argocd.client_apply(tracked(fraud_scorer(SCORING, "prod", "1.3.0")))
        c2.seldon.available(SCORING, "fraud-scorer")

    credit = artifact("dev", "credit-risk", "2.0.0")
    with book.step("credit-dev-first"):
        c1.alice.client_apply(inference_service(DEV, "credit-risk", old_form(credit)))
    with book.step("credit-dev-rewritten"):
        c1.kserve.rewrite_predictor(DEV, "credit-risk", model_form(credit))
        c1.kserve.ready(DEV, "credit-risk", revision=1)
    with book.step("credit-staging-first"):
        uri = artifact("staging", "credit-risk", "2.0.0")
        c1.ci.server_apply(inference_service(STAGING, "credit-risk", model_form(uri)), code=201)
        c1.kserve.ready(STAGING, "credit-risk", revision=1)
    with book.step("credit-prod-first"):
        uri = artifact("prod", "credit-risk", "2.0.0")
        c1.argocd.client_apply(tracked(inference_service(PROD, "credit-risk", model_form(uri))))
        c1.kserve.ready(PROD, "credit-risk", revision=1)

    with book.step("churn-dev-first"):
        c1.bob.client_apply(core2_model(DEV, "churn", artifact("dev", "churn", "3.0.0")))
        c1.core2.ready("Model", DEV, "churn")
    with book.step("churn-staging-first"):
        uri = artifact("staging", "churn", "3.0.0")
        c1.ci.server_apply(core2_model(STAGING, "churn", uri), code=201)
        c1.core2.ready("Model", STAGING, "churn")
    with book.step("churn-c2-first"):
        uri = artifact("prod", "churn", "3.0.0")
        c2.argocd.client_apply(tracked(core2_model(SCORING, "churn", uri)))
        c2.core2.ready("Model", SCORING, "churn")

    with book.step("sentiment-dev-first"):
        c1.bob.client_apply(sentiment(DEV, "dev", "0.9.0", "v1alpha2"))
        c1.seldon.available(DEV, "sentiment")
    with book.step("sentiment-dev-upgrade"):
        c1.bob.client_apply(sentiment(DEV, "dev", "0.9.1", "v1"))
        c1.seldon.available(DEV, "sentiment")
    with book.step("sentiment-c2-first"):
        uri = artifact("prod", "sentiment", "0.9.1")
        c2.carol.client_apply(inference_service(SCORING, "sentiment", model_form(uri)))
        c2.kserve.ready(SCORING, "sentiment", revision=1)
    with book.step("north-c2-host"):
        c2.carol.client_apply(multi_model_host(SCORING, "regional"))
        c2.kserve.ready(SCORING, "regional", revision=1)
    with book.step("north-c2-first"):
        uri = artifact("prod", "churn-north", "1.0.0")
        c2.carol.client_apply(trained_model(SCORING, "churn-north", "regional", uri))
        c2.kserve.loaded(SCORING, "churn-north")


def fraud_scorer_moves_on(c1: Stage, book: Book) -> None:
    """An upgrade through the stages, a refusal, a dry run, a rollback, a shadow, a conflict."""
    with book.step("fraud-dev-upgrade"):
        c1.alice.client_apply(fraud_scorer(DEV, "dev", "1.4.0"))
        c1.seldon.available(DEV, "fraud-scorer")
    with book.step("fraud-staging-upgrade"):
        c1.ci.server_apply(fraud_scorer(STAGING, "staging", "1.4.0"))
        c1.seldon.available(STAGING, "fraud-scorer")
    with book.step("fraud-staging-repeat"):
        c1.ci.server_apply(fraud_scorer(STAGING, "staging", "1.4.0"))
    predictors = fraud_scorer(PROD, "prod", "1.4.0")["spec"]["predictors"]
    with book.step("fraud-prod-refused"):
        c1.bob.patch("SeldonDeployment", PROD, "fraud-scorer",
                     {"spec": {"predictors": predictors}}, code=403)
    with book.step("fraud-prod-dry-run"):
        c1.carol.client_apply(fraud_scorer(PROD, "prod", "1.4.0"), dry_run=True)
    with book.step("fraud-prod-upgrade"):
        c1.argocd.client_apply(tracked(fraud_scorer(PROD, "prod", "1.4.0")))
        c1.seldon.available(PROD, "fraud-scorer")
    with book.step("fraud-prod-rollback"):
        predictors = fraud_scorer(PROD, "prod", "1.3.0")["spec"]["predictors"]
        c1.carol.patch("SeldonDeployment", PROD, "fraud-scorer", {
            "metadata": {"annotations": {"modeltrail.io/ticket": "RISK-481"}},
            "spec": {"predictors": predictors}})
        c1.seldon.available(PROD, "fraud-scorer")
    with book.step("fraud-prod-shadow"):
        c1.argocd.client_apply(tracked(fraud_scorer(PROD, "prod", "1.3.0", shadow="1.4.0")))
        c1.seldon.available(PROD, "fraud-scorer")
    with book.step("fraud-prod-scale"):
        c1.carol.scale("SeldonDeployment", PROD, "fraud-scorer", 3)
    with book.step("fraud-dev-conflict"):
        stale = c1.alice.read("SeldonDeployment", DEV, "fraud-scorer")
        stale["metadata"]["resourceVersion"] = "1"
        stale["spec"]["predictors"][0]["graph"]["modelUri"] = artifact("dev", "fraud-scorer",
                                                                       "1.5.0")
        c1.alice.replace(stale, code=409)


def credit_risk_canary(c1: Stage, book: Book) -> None:
    """A KServe canary: 10 %, 50 %, promoted."""
    with book.step("credit-dev-upgrade"):
        uri = artifact("dev", "credit-risk", "2.1.0")
        c1.alice.client_apply(inference_service(DEV, "credit-risk", model_form(uri)))
        c1.kserve.creating(DEV, "credit-risk", revision=2)
        c1.kserve.ready(DEV, "credit-risk", revision=2)
    with book.step("credit-staging-upgrade"):
        uri = artifact("staging", "credit-risk", "2.1.0")
        c1.ci.server_apply(inference_service(STAGING, "credit-risk", model_form(uri)))
        c1.kserve.creating(STAGING, "credit-risk", revision=2)
        c1.kserve.ready(STAGING, "credit-risk", revision=2)
    uri = artifact("prod", "credit-risk", "2.1.0")
    with book.step("credit-prod-canary-10"):
        c1.argocd.client_apply(tracked(inference_service(
            PROD, "credit-risk", model_form(uri, canaryTrafficPercent=10))))
        c1.kserve.creating(PROD, "credit-risk", revision=2)
        c1.kserve.ready(PROD, "credit-risk", revision=2, percent=10)
    with book.step("credit-prod-canary-50"):
        c1.carol.patch("InferenceService", PROD, "credit-risk",
                       {"spec": {"predictor": {"canaryTrafficPercent": 50}}})
        c1.kserve.ready(PROD, "credit-risk", revision=2, percent=50)
    with book.step("credit-prod-promote"):
        c1.argocd.client_apply(tracked(inference_service(PROD, "credit-risk", model_form(uri))))
        c1.kserve.ready(PROD, "credit-risk", revision=2)


def churn_is_compared(c1: Stage, book: Book) -> None:
    """An A/B experiment between two Core 2 Models in staging."""
    with book.step("churn-dev-upgrade"):
        c1.bob.client_apply(core2_model(DEV, "churn", artifact("dev", "churn", "3.1.0")))
        c1.core2.ready("Model", DEV, "churn")
    with book.step("churn-staging-candidate"):
        uri = artifact("staging", "churn", "3.1.0")
        c1.ci.server_apply(core2_model(STAGING, "churn-b", uri), code=201)
        c1.core2.ready("Model", STAGING, "churn-b")
    with book.step("churn-staging-experiment"):
        c1.ci.server_apply(experiment(STAGING, "churn-ab", "churn", {"churn": 90, "churn-b": 10}),
                           code=201)
        c1.core2.ready("Experiment", STAGING, "churn-ab")
    with book.step("churn-staging-shift"):
        c1.alice.patch("Experiment", STAGING, "churn-ab", {
            "spec": experiment(STAGING, "churn-ab", "churn", {"churn": 70, "churn-b": 30})["spec"]})
        c1.core2.ready("Experiment", STAGING, "churn-ab")


def the_end(c1: Stage, c2: Stage, book: Book) -> None:
    with book.step("sentiment-dev-removed"):
        c1.carol.delete("SeldonDeployment", DEV, "sentiment")
    with book.step("fraud-c2-refused"):
        c2.bob.delete("SeldonDeployment", SCORING, "fraud-scorer", code=403)
    with book.step("fraud-c2-upgrade"):
        c2.argocd.client_apply(tracked(fraud_scorer(SCORING, "prod", "1.4.0")))
        c2.seldon.available(SCORING, "fraud-scorer")
