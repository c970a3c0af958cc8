"""What the abuse desk of ten years ago (Lafayette) could do can be done, what it got wrong is right: by which tests.

Each line names the tests that fail when it is no longer so; a test that is renamed or goes away takes its line with it.
"""

import ast
from functools import cache

import pytest

from tests.places import ROOT

COULD = {
    "feeds by their names, from the mail server": ["mta/test_feeds.py::test_what_a_user_moves_to_junk"],
    "addresses of a spam trap are hidden": ["values/test_redaction.py::test_no_recipient_is_left"],
    "feedback reports are read, repeated fields too": ["reports/test_feedback.py::test_golden_pairs_fill_every_field"],
    "classes of failed messages": ["documents/test_classify.py::test_an_absent_mail_from_is_no_null_sender"],
    "what was delivered": ["desk/web/test_views.py::test_pages_are_the_same_over_both_stores"],
    "URLs of a message, in linear time": ["values/test_urls.py::test_found", "values/test_urls.py::test_linear_time"],
    "URLs with first and last seen, own domains left out": ["desk/test_blocklists.py::test_what_is_listed"],
    "attachments by their hash": ["desk/test_campaigns.py::test_a_bot_net_over_300_addresses_is_one_campaign"],
    "an address: its name": ["desk/web/test_views.py::test_a_name_that_does_not_lead_back_is_none"],
    "an address: lists of senders": ["desk/web/test_views.py::test_others_are_asked_on_a_click_alone"],
    "an address: whose it is": [
        "desk/web/test_views.py::test_a_registry_is_asked_on_a_click_where_the_settings_say_so"
    ],
    "contacts, with a list by hand in front": ["desk/test_contacts.py::test_what_the_site_says"],
    "selecting by subject, URL, file, AS, class and days": ["stores/test_query.py::test_both_stores_find_the_same"],
    "prepare, look, send, in the browser": ["mta/test_desk.py::test_from_a_failure_report_to_the_league"],
    "reports as ARF": ["desk/test_report.py::test_its_form", "desk/test_report.py::test_its_fields"],
    "one pasted spam": ["admin/test_abuse.py::test_spam_that_somebody_got"],
    "copies for a blocking list": ["desk/test_reporting.py::test_copies"],
    "lists of URLs": ["desk/test_blocklists.py::test_a_response_policy_zone_is_a_zone"],
    "days as a picture, countries as a map": ["desk/web/test_views.py::test_pages_are_the_same_over_both_stores"],
}
WRONG = {
    "an absent Original-Mail-From was a bounce": [
        "documents/test_classify.py::test_an_absent_mail_from_is_no_null_sender"
    ],
    "error codes of a list were listings": ["desk/web/test_views.py::test_codes_of_lists"],
    "evilexample.org was example.org": ["desk/test_blocklists.py::test_what_is_listed"],
    "a contact in several strings was cut": ["desk/test_contacts.py::test_a_record_of_several_strings"],
    "it crashed without Source-IP": ["desk/test_reporting.py::test_what_is_left_out_is_told"],
    "spam-trap mail could not be reported": ["desk/test_reporting.py::test_spam_trap_mail_can_be_reported"],
    "reported without a contact": ["desk/test_reporting.py::test_what_is_left_out_is_told"],
    "nobody knew which were sent": ["desk/test_reporting.py::test_what_the_mail_server_does_not_take_is_owed"],
    "one mail to all contacts": ["desk/test_reporting.py::test_one_report_for_each_network"],
    "several Source-IP in one report": ["desk/test_reporting.py::test_one_report_for_each_network"],
    "half of a folded field was hidden": ["values/test_redaction.py::test_codes_for_characters_of_an_address"],
    "forms without a token": ["desk/web/test_guard.py::test_a_form_without_its_token_does_nothing"],
    "everybody was allowed": ["desk/web/test_guard.py::test_a_stranger_sees_no_page"],
    "names under .email fell out": ["values/test_urls.py::test_host"],
    "the same mail counted twice": ["test_once.py::test_all_of_them"],
    "nothing was ever deleted": ["privacy/test_prune.py::test_each_dataset_has_its_own_time"],
}


@cache
def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


@pytest.mark.parametrize("row", [*COULD, *WRONG])
def test_each_row_has_its_tests(row: str) -> None:
    for named in (COULD | WRONG)[row]:
        file, _, name = named.partition("::")
        assert name in _functions(file), named
