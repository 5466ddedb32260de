"""Named mutants of the fold: one small wrong edit each, by the rule that it breaks.

`old` must occur exactly once in its file: when the fold is rewritten, its mutants are too.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str
    new: str


MUTANTS = [
    Mutant("R1 a position goes through a double", "fold_history.c",
           ".position = chosen->position,", ".position = (int64_t)(double)chosen->position,"),
    Mutant("R2 the oldest extractor speaks", "fold_history.c",
           "list->readings[i]->extractor > chosen->extractor",
           "list->readings[i]->extractor < chosen->extractor"),
    Mutant("R2 the last reading of an extractor speaks", "fold_history.c",
           "list->readings[i]->extractor > chosen->extractor",
           "list->readings[i]->extractor >= chosen->extractor"),
    Mutant("R3 a list with a selector closes", "fold_history.c",
           "listing->has_member || listing->has_selector || listing",
           "listing->has_member || listing"),
    Mutant("R4 a list at life's position closes", "fold_history.c",
           "listing->position <= life", "listing->position < life"),
    Mutant("R4 the newest list decides", "fold_history.c",
           "best == NULL || listing->position < best->position",
           "best == NULL || listing->position > best->position"),
    Mutant("R4 membership is no sign of life", "fold_history.c",
           "member != NULL && member->position > life", "false && member->position > life"),
    Mutant("R4 life does not bound the removal", "fold_history.c",
           "member != NULL && member->listed_at > previous->time",
           "false && member->listed_at > previous->time"),
    Mutant("R5 a delete that finalizers hold removes", "fold_history.c",
           "if (!fold_request_has_removed(request))",
           "if (strcmp(request->verb, \"delete\") != 0 || !fold_request_matters(request))"),
    Mutant("R5 history goes on above a removal", "fold_history.c",
           "while (list.count > 0 && list.readings[list.count - 1]->position > end)",
           "while (false)"),
    Mutant("R8 later evidence does not bound", "fold_history.c",
           "if (fold_evidence_is_better(above, &history->moments[i - 1].upper))", "if (false)"),
    Mutant("R8 lower bounds are ignored", "fold_history.c",
           "moment->time = greater(moment->upper.instant, moment->lower.instant);",
           "moment->time = moment->upper.instant;"),
    Mutant("R8 the worst source wins a tie", "fold_history.c",
           "return a->source < b->source;", "return a->source > b->source;"),
    Mutant("R8 the spec's beginning is the position's", "fold_history.c",
           "raised == NULL ? &history->early : &raised->upper",
           "raised == NULL ? &history->early : &moment->upper"),
    Mutant("R9 an older position does not fold again", "fold.c",
           "(reading->position < position && !reading->is_repeat)", "false"),
    Mutant("R9 an earlier time does not fold again", "fold.c",
           "fold_evidence_is_better(&walk->history.moments[0].upper, &state->previous_upper)",
           "false"),
    Mutant("R10 a row goes on over a change of traffic", "fold_walk.c",
           "a->traffic == b->traffic && a->stopped", "a->stopped"),
    Mutant("R10 each row is deployed anew", "fold_walk.c",
           ".deployed_position = presence->position", ".deployed_position = open->from_position"),
    Mutant("R11 the artifact is no part of the identity", "fold_placed.c",
           "append_member(&text, placed->identity.artifact);", ""),
    Mutant("R12 nothing is ever rolled back", "fold_change.c",
           "fold_keyset_has(&state->seen, to->row_key)", "false"),
    Mutant("R12 stopping changes nothing", "fold_change.c",
           "from->stopped == to->stopped", "true"),
    Mutant("R12 lingering placements change", "fold_change.c",
           "if (placed[i].is_desired)", "if (true)"),
    Mutant("R13 nothing lingers", "fold_compose.c",
           "if (c->reading->traffic_count == 0)", "if (true)"),
    Mutant("R13 what lingers loses its shape", "fold_compose.c",
           "if (former == NULL)", "if (true)"),
    Mutant("R13 a revision that is being made lingers", "fold_compose.c",
           "placed.unknown_revision != NULL && text_equal(name, c->reading->latest_created)",
           "false"),
    Mutant("R14 stale status maps a revision", "fold_revision.c",
           "reading->observed_generation == reading->generation", "true"),
    Mutant("R14 the last mapping wins", "fold_revision.c",
           "(a->position > b->position) - (a->position < b->position)",
           "(a->position < b->position) - (a->position > b->position)"),
    Mutant("R15 a route goes on over a change of share", "fold_route.c",
           "goes_on && state->routes[at].route.percent == routes[i]->percent", "goes_on"),
    Mutant("R16 ready for any generation", "fold_walk.c",
           "return reading->observed_generation >= generation;", "return true;"),
    Mutant("R16 status is believed at once", "fold_walk.c",
           "return !state->has_previous || state->previous_generation == moment->generation;",
           "return true;"),
    Mutant("R16 ready before it was deployed", "fold_walk.c",
           "since >= presence->at && since <= moment->time", "since <= moment->time"),
    Mutant("R16 stopped workloads serve", "fold_walk.c", "if (placed->stopped)", "if (false)"),
    Mutant("R17 a repeated apply steals the change", "fold_credit.c",
           "request->at <= moment->upper.instant &&", "true &&"),
    Mutant("R17 the latest request is credited", "fold_credit.c",
           "return a->at < b->at ? -1 : 1;", "return a->at > b->at ? -1 : 1;"),
    Mutant("R18 requests of later positions count", "fold_credit.c",
           "request->position <= moment->position", "true"),
    Mutant("R18 generations credit nobody", "fold_credit.c",
           "(give_by_generation(requests, question, strength, arena, out) ||", "(false ||"),
    Mutant("R18 scaling deploys", "fold_credit.c",
           "request->generation != FOLD_NONE && request->subresource == NULL",
           "request->generation != FOLD_NONE"),
    Mutant("R18 a generation jump names somebody", "fold_credit.c",
           "moment->generation - question->newest_before > 1", "false"),
    Mutant("R18 a review needs the audit log's time", "fold_credit.c",
           "if (supports(requests->reviews.items[i], question, strength))",
           "if (supports(requests->reviews.items[i], question, strength) &&"
           " may_have_made(requests->reviews.items[i], question->moment))"),
    Mutant("R18 the first review is believed", "fold_credit.c",
           "if (proof != NULL && fold_requests_are_of_one(&found))", "if (proof != NULL)"),
    Mutant("R18 a review nearby is believed", "fold_window.c",
           "return is_within ? NEARNESS_WITHIN : NEARNESS_NEAR;", "return NEARNESS_WITHIN;"),
    Mutant("R18 a review nearby is nothing", "fold_window.c",
           "return is_within ? NEARNESS_WITHIN : NEARNESS_NEAR;",
           "return is_within ? NEARNESS_WITHIN : NEARNESS_FAR;"),
    Mutant("R18 reviews of long ago may have been it", "fold_window.c",
           "(sure != FOLD_NONE && request->at < sure - REVIEW_REACH)", "false"),
    Mutant("R18 reviews of long after may have been it", "fold_window.c",
           "request->at > end + REVIEW_REACH ||", "false ||"),
    Mutant("R18 reviews of before prove", "fold_window.c",
           "start != FOLD_NONE && request->at >= start - REVIEW_SLACK &&", "start != FOLD_NONE &&"),
    Mutant("R18 reviews of after prove", "fold_window.c",
           "                     request->at <= end + REVIEW_SLACK;",
           "                     request->at <= end + REVIEW_REACH;"),
    Mutant("R18 without a beginning a review proves", "fold_window.c",
           "start != FOLD_NONE && request->at >= start - REVIEW_SLACK &&",
           "(start == FOLD_NONE || request->at >= start - REVIEW_SLACK) &&"),
    Mutant("R18 the sight before bounds no review", "fold_window.c",
           "    if (question->has_previous)\n        start = greater(\n",
           "    if (false)\n        start = greater(\n"),
    Mutant("R18 the sight before bounds reviews surely", "fold_window.c",
           "if (sure == FOLD_NONE)", "if (true)"),
    Mutant("R18 a create's review needs its time", "fold_window.c",
           "(request->is_admission && !fold_request_creates(request))", "request->is_admission"),
    Mutant("R18 a selector leaves nothing out", "fold_window.c",
           "return request->role == ROLE_COLLECTION ||", "return"),
    Mutant("R18 finalizers hold nothing", "fold_walk.c",
           "while (begun > 0 && moments[begun - 1].chosen->is_deleting)", "while (false)"),
    Mutant("R18 a former namespace's end is the cause", "fold_removal.c",
           "request->at > question->first_time && request->at <= at &&", "request->at <= at &&"),
    Mutant("R18 reviews have no part in a jump", "fold_credit.c",
           "for (size_t i = review; i < last; i++)", "for (size_t i = last; i < last; i++)"),
    Mutant("R18 windows have no part in a jump", "fold_credit.c",
           "    (void)fold_window_find(requests, question, &found); // nobody is proven either way\n",
           ""),
    Mutant("R18 windows credit nobody", "fold_credit.c",
           "if (found.count == 1 && is_bounded)", "if (false)"),
    Mutant("R18 the first of a window is named", "fold_credit.c",
           "if (found.count == 1 && is_bounded)", "if (found.count >= 1 && is_bounded)"),
    Mutant("R18 a window without a beginning proves", "fold_credit.c",
           "if (found.count == 1 && is_bounded)", "if (found.count == 1)"),
    Mutant("R18 a window without a beginning is empty", "fold_window.c",
           "        find_newest(list, question, end, found);\n", ""),
    Mutant("R18 the oldest stands for all", "fold_window.c",
           "if (newest != NULL && request->at < newest->at)", "if (false)"),
    Mutant("R18 of equally new ones the last heard of", "fold_window.c",
           "if (newest != NULL && request->at < newest->at)", "if (newest != NULL)"),
    Mutant("R18 a spec is as old as its sight", "fold_window.c",
           "if (!question->has_previous && !is_birth(question))", "if (false)"),
    Mutant("R18 a request read twice is two", "fold_credit.c",
           "(id != NULL && text_equal(list->items[used - 1]->audit_id, id))", "false"),
    Mutant("R18 a window for status", "fold_credit.c",
           "(raises || question->has_other_spec)", "true"),
    Mutant("R18 a label has no window", "fold_credit.c",
           "(raises || question->has_other_spec)", "raises"),
    Mutant("R18 clocks agree at the end of a window", "fold_window.c",
           "return moment->upper.instant + FOLD_CLOCK_SLACK;", "return moment->upper.instant;"),
    Mutant("R18 clocks agree at the start of a window", "fold_window.c",
           "instant_of, start - FOLD_CLOCK_SLACK", "instant_of, start"),
    Mutant("R18 a late status write bounds the spec", "fold_window.c",
           "if (moment->lower.instant <= moment->upper.instant)", "if (true)"),
    Mutant("R18 what was before a late sight bounds nothing", "fold_window.c",
           "else if (question->has_previous)", "else if (false)"),
    Mutant("R18 the position before bounds nothing", "fold_window.c",
           "if (has_previous_instant(question))", "if (false)"),
    Mutant("R18 a collector's clock bounds the next position", "fold_window.c",
           "is_other && !is_by_collector(before)", "is_other"),
    Mutant("R18 evidence from above bounds the next position", "fold_window.c",
           "question->has_previous && is_other &&", "question->has_previous &&"),
    Mutant("R18 birth has no instant of its own", "fold_window.c",
           "if (is_birth(question) && moment->upper.source == TIME_OBJECT)", "if (false)"),
    Mutant("R18 patches create", "fold_window.c", "if (fold_request_creates(request) != is_birth(question))", "if (false)"),
    Mutant("R18 only a POST creates", "fold_input.c",
           'text_equal(request->verb, "create") || request->code == 201',
           'text_equal(request->verb, "create")'),
    Mutant("R18 whoever wrote what was found made it", "fold_credit.c",
           "question->has_previous || fold_request_creates(request)", "true"),
    Mutant("R18 a raised generation proves what was found", "fold_credit.c",
           "if (may_have_made(request, moment) && supports(request, question, strength))",
           "if (may_have_made(request, moment))"),
    Mutant("R18 a review proves what was found", "fold_credit.c",
           "if (supports(requests->reviews.items[i], question, strength))", "if (true)"),
    Mutant("R18 what was found has no author ever", "fold_credit.c",
           "question->has_previous || fold_request_creates(request)", "question->has_previous"),
    Mutant("R18 whoever wrote what was found is not told", "fold_credit.c",
           "    if (!question->has_previous &&\n        give_by_number(",
           "    if (false &&\n        give_by_number("),
    Mutant("R18 a review that raised nothing raises", "fold_window.c",
           "return !(request->is_admission && request->role == ROLE_OBJECT &&",
           "return !(false &&"),
    Mutant("R18 a checkpoint hides late windows", "fold.c",
           "request->at <= state->previous_upper.instant + FOLD_CLOCK_SLACK;",
           "request->at <= state->previous_upper.instant - 60000000;"),
    Mutant("R18 a former object's delete removes", "fold_removal.c",
           "return request->at > question->first_time &&", "return"),
    Mutant("R18 deletes behind the removal remove", "fold_removal.c",
           "request->at > question->first_time &&"
           " request->at <= fold_window_end(question->moment)",
           "request->at > question->first_time"),
    Mutant("R18 collections come before names", "fold_removal.c",
           "{ROLE_OBJECT, ROLE_NAME, ROLE_COLLECTION}", "{ROLE_OBJECT, ROLE_COLLECTION, ROLE_NAME}"),
    Mutant("R18 a review of a delete is proof", "fold_removal.c",
           "if (request->role == ROLE_OBJECT && !request->is_admission)",
           "if (request->role == ROLE_OBJECT)"),
    Mutant("R18 the first of several deletes by name", "fold_removal.c",
           "(found->count > 1 && !fold_requests_are_of_one(found))", "false"),
    Mutant("R18 deleting twice is two", "fold_removal.c",
           "(found->count > 1 && !fold_requests_are_of_one(found))", "found->count > 1"),
    Mutant("R18 the namespace controller acts for nobody", "fold_removal.c",
           "text_equal(credited->principal, NAMESPACE_CONTROLLER)", "false"),
    Mutant("R18 the garbage collector acts for nobody", "fold_removal.c",
           "text_equal(credited->principal, GARBAGE_COLLECTOR)", "false"),
    Mutant("R18 the first cause is the cause", "fold_removal.c",
           "(newest == NULL || request->at > newest->at)", "newest == NULL"),
    Mutant("R18 a later cause", "fold_removal.c",
           "request->at > question->first_time && request->at <= at &&",
           "request->at > question->first_time &&"),
    Mutant("R18 impersonators are one", "fold_credit.c",
           "!text_equal(list->items[0]->impersonated_by, list->items[i]->impersonated_by)", "false"),
    Mutant("R19 reviews without an answer prove a removal", "fold_input.c",
           "return request->role == ROLE_OBJECT && request->removes && has_succeeded(request);",
           "return request->role == ROLE_OBJECT && request->removes && is_accepted(request);"),
    Mutant("R18 status inherits nothing", "fold_walk.c",
           "return state->raised_credits;", "return credits;"),
    Mutant("R19 refused requests count", "fold_input.c", "request->code < 300", "true"),
    Mutant("R19 dry runs count", "fold_input.c",
           "return !request->dry_run && request->code", "return request->code"),
    Mutant("R19 reviews of dry runs count", "fold_input.c",
           "(!request->dry_run && request->is_admission", "(request->is_admission"),
    Mutant("R24 patterns applied again are new", "naming_rules.c",
           "return index == rules->count;", "return false;"),
    Mutant("R25 the request does not revise", "fold_walk.c",
           "greatest(placed->naming_index, presence->credit_index)", "placed->naming_index"),
    Mutant("R25 configuration does not revise", "fold_placed.c",
           "out->identity.source == IDENTITY_PATTERN", "false"),
    Mutant("R25 a change forgets what was before", "fold_change.c",
           "if (walk->state.has_previous)", "if (false)"),
]


class Unfit(Exception):
    """A mutant that cannot be made."""


def _packages_of_common():
    """The pkg-config names of what the common room links, as its CMakeLists says."""
    known = dict(re.findall(
        r"pkg_check_modules\((\w+) REQUIRED IMPORTED_TARGET ([^)\s]+)\)",
        (ROOT / "CMakeLists.txt").read_text(),
    ))
    room = (ROOT / "common" / "CMakeLists.txt").read_text()
    linked = re.search(r"target_link_libraries\(common PUBLIC([^)]*)\)", room)
    return [known[name] for name in re.findall(r"PkgConfig::(\w+)", linked.group(1))]


class Workshop:
    """Builds the fold and its driver, as it is and with one edit, away from the tree."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.compiler = os.environ.get("CC", "gcc")
        packages = _packages_of_common()
        flags = ["pkg-config", "--cflags", *packages]
        self.cflags = subprocess.check_output(flags, text=True).split()
        libraries = ["pkg-config", "--libs", *packages]
        self.libraries = subprocess.check_output(libraries, text=True).split() + ["-lm"]
        fold = [*ROOT.glob("store/fold*.c"), *ROOT.glob("store/naming*.c")]
        # The rest of the room is the database's, which the fold does not know (common/CMakeLists.txt).
        common = [path for path in ROOT.glob("common/*.c") if not path.name.startswith(("database", "resolve"))]
        self.sources = [*fold, *common, ROOT / "tests" / "drivers" / "fold_run.c"]

    def build_all(self):
        """Compiles every file once; the program without any edit."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda path: self._compile(path, self._object(path)), self.sources))
        return self._link("unchanged", {})

    def build(self, mutant):
        """The program with the mutant's edit."""
        source = ROOT / "store" / mutant.file
        text = source.read_text()
        if text.count(mutant.old) != 1:
            raise Unfit(f"{mutant.file} has {text.count(mutant.old)} times: {mutant.old}")
        name = mutant.name.replace(" ", "-").replace("'", "")
        edited = self.folder / f"{name}.c"
        edited.write_text(text.replace(mutant.old, mutant.new))
        made = self.folder / f"{name}.o"
        self._compile(edited, made)
        return self._link(name, {source: made})

    def _object(self, source):
        return self.folder / (source.stem + ".o")

    def _compile(self, source, made):
        self._run(self.compiler, "-std=gnu17", "-O1", "-w", f"-I{ROOT}", *self.cflags,
                  '-DMODELTRAIL_VERSION="0"', "-c", source, "-o", made)

    def _link(self, name, replaced):
        program = self.folder / name
        objects = [replaced.get(source, self._object(source)) for source in self.sources]
        self._run(self.compiler, *objects, "-o", program, *self.libraries)
        return str(program)

    @staticmethod
    def _run(*argv):
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
        if done.returncode != 0:
            raise Unfit(done.stderr[-2000:])
