"""Large senders: the SPF records that list their hosts, and how they name the DKIM keys of their customers.

A table of our own, each line with the page where the sender says so. Most of them ask customers for no `include:` any
more, since their envelope is not the customer's; the records are published all the same, and list the hosts. Who
includes another one's record stands below it: _spf.salesforce.com includes _spf.google.com.
A signature that passed names its domain, and one that did not proves nothing; but which service a key of one's own
domain was made for, its selector tells, where the service chooses it and nobody else would.
"""

import re
from typing import NamedTuple


class LargeSender(NamedTuple):
    """One line."""

    name: str
    spf: tuple[str, ...]  # domains of the records
    selectors: str  # of keys in its customers' domains, a regular expression; '' where customers choose, or many do so
    source: str  # where the sender says so


LARGE_SENDERS = (
    LargeSender("Google", ("_spf.google.com",), "google", "https://support.google.com/a/answer/33786"),
    LargeSender(
        "Microsoft 365",
        ("spf.protection.outlook.com",),
        "selector[12]",
        "https://learn.microsoft.com/defender-office-365/email-authentication-spf-configure",
    ),
    LargeSender(
        "Amazon SES",
        ("amazonses.com",),
        "[a-z2-7]{32}",
        "https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-spf.html",
    ),
    LargeSender(
        "Twilio SendGrid",
        ("sendgrid.net",),
        "",  # s1, s2: as others do
        "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/how-to-set-up-domain-authentication",
    ),
    LargeSender(
        "Mailgun", ("mailgun.org",), "pdk[12]", "https://documentation.mailgun.com/docs/mailgun/user-manual/domains/"
    ),
    LargeSender(
        "Mailchimp",
        ("servers.mcsv.net",),
        "k[23]",
        "https://mailchimp.com/help/set-up-email-domain-authentication/",
    ),
    LargeSender(
        "Mailchimp Transactional",
        ("spf.mandrillapp.com",),
        "mte[12]|mandrill",
        "https://mailchimp.com/developer/transactional/docs/authentication-delivery/",
    ),
    LargeSender(
        "Postmark",
        ("spf.mtasv.net",),
        "20[0-9]{12}pm",
        "https://postmarkapp.com/blog/why-we-no-longer-ask-for-spf-records",
    ),
    LargeSender("Salesforce", ("_spf.salesforce.com",), "", "https://help.salesforce.com/s/articleView?id=000382664"),
    LargeSender(
        "Zendesk",
        ("mail.zendesk.com",),
        "zendesk[12]",
        "https://support.zendesk.com/hc/en-us/articles/4867238761626-What-are-SPF-DNS-and-TXT-records",
    ),
    LargeSender(
        "Zoho",
        ("zohomail.com", "zoho.com", "zoho.eu", "zoho.in"),  # by data centre and by the age of the account
        "zmail",
        "https://www.zoho.com/mail/help/adminconsole/spf-configuration.html",
    ),
    LargeSender(
        "Fastmail",
        ("spf.messagingengine.com",),
        "fm[123]|mesmtp",
        "https://www.fastmail.help/hc/en-us/articles/360060591153",
    ),
    LargeSender(
        "Proton",
        ("_spf.protonmail.ch",),
        "protonmail[23]?",
        "https://proton.me/support/anti-spoofing-custom-domain",
    ),
    LargeSender("Apple iCloud", ("icloud.com",), "sig1", "https://support.apple.com/en-us/102374"),
)


def maker_of(selector: str) -> str:
    """The service that names keys so, '' for none."""
    found = (one.name for one in LARGE_SENDERS if one.selectors and re.fullmatch(one.selectors, selector))
    return next(found, "")
