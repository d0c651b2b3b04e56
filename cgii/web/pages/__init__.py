"""The pages. How to write one, in six steps (pages/entities.py is the example to copy):

1. A file per subject with `router = APIRouter()`; Spanish addresses; list it in PAGES below.
2. Every route has one guard, by right (table in web/access.py), and what it needs by type:

    @router.get("/cosas", dependencies=[require("thing.see")])
    def thing_list(request: Request, session: CurrentSession, user: CurrentUser) -> Response:

   A GET reads; any other method writes, and commits before the answer leaves. Never commit.
3. Queries begin with `visible(user, Table)`; one row comes from `find(session, user, Table,
   code=code)`, which answers 404 for what is absent and what is somebody else's alike. A new
   table is invisible until web/visible.py names it.
4. Verbs live in rooms below and take an Act: `close(act, incident, form)`; ask for `act:
   CurrentAct`. What a form sends is read into the verb's dataclass:

    form = read(sent, CloseForm)                         # sent: SentForm
    with redo(request, "things/close.html", form=form, thing=thing):
        close(act, thing, form.data())
    return redirect(request, f"/cosas/{thing.code}", toast=Toast(gettext("Se cerró.")))

   A problem raised inside comes back as the same page (422), typed text kept, sentence beside
   its field, transaction rolled back. `blank(name=…)` fills a form that is shown first.
   Files: `require(right, body_bytes=limits.UPLOAD_BYTES_MAX)`, then `file_of(sent, "archivo")`.
5. A list is a Listing (web/tables.py): columns, filters, sort whitelist; `show(…)` runs it from
   the URL; `{% call(row, key) table(list) %}` draws it, cell by cell. Drawer: a route
   `/cosas/{code}/panel` whose template extends "frames/drawer.html"; rows name it in `panel=`.
6. A template begins `{% extends frame %}` (a page, or a fragment for htmx), sets
   `{% block title %}`, `{% block lead %}` (one line: what for), `{% block actions %}` (primary
   last) and `{% block body %}`. Known everywhere: visitor, can("right"), now, request,
   choices("words.tlps"). Text only as {{ _("…") }} or {% trans %}; a test finds bare text. No
   inline style or script: the content policy refuses them.

Macros, each with its use in a comment on top of its file (templates/parts/): table.html,
forms.html (field_text, field_area, field_choice, field_radios, field_checks, field_check,
field_moment, field_day, field_file, error_summary, send), chips.html (severity, tlp, state, said,
klass, tag), people.html (person, entity), time.html (when, exact, clock),
timeline.html, diff.html, evidence.html, chart.html, stepper.html, confirm.html, empty.html,
progress.html. /ayuda/componentes shows them all on one page.
Filters: number, percent, size, moment, utc, day, duration, ago(now), label("incidents.severities").

In the browser (static/js/, no code needed in pages):
  data-panel="/cosas/1/panel" opens the drawer on a row; data-action-f="/…" is what key `f` does
  to the row under the cursor (POST); data-draft="incident:12:close" keeps a form's text;
  data-confirm="…" asks first; hx-* as in htmx 2, with the CSRF token added by itself.
  Forms sent without htmx carry it through `{{ csrf(visitor) }}` of parts/forms.html.
"""

from fastapi import APIRouter

from cgii.web.pages import (
    account,
    admin,
    admin_people,
    admin_quiet,
    admin_sensors,
    alert_deeds,
    alerts,
    boards,
    decisions,
    desk,
    drafts,
    entities,
    evidence,
    help,
    hunt,
    incident_deeds,
    incident_things,
    incidents,
    indicators,
    jobs,
    notices,
    plan_acts,
    plan_evidence,
    plan_forms,
    plans,
    portal,
    reports,
    reviews,
    rule_backtests,
    rule_deeds,
    rule_edit,
    rule_tuning,
    rules,
    runs,
    search,
    signin,
    sources,
    yara,
)

# One line per file, in alphabetical order.
PAGES: tuple[APIRouter, ...] = (
    account.router,
    admin.router,
    admin_people.router,
    admin_quiet.router,
    admin_sensors.router,
    alert_deeds.router,
    alerts.router,
    boards.router,
    decisions.router,
    desk.router,
    drafts.router,
    entities.router,
    evidence.router,
    help.router,
    hunt.router,
    incident_deeds.router,
    incident_things.router,
    incidents.router,
    indicators.router,
    jobs.router,
    notices.router,
    plan_acts.router,
    plan_evidence.router,
    plan_forms.router,
    plans.router,
    portal.router,
    reports.router,
    reviews.router,
    yara.router,  # before the rules, whose /reglas/{rule_id} would take its address
    rule_backtests.router,
    rule_deeds.router,
    rule_edit.router,
    rule_tuning.router,
    rules.router,
    runs.router,
    search.router,
    signin.router,
    sources.router,
)
