"""Large senders and the SPF record that each tells its customers to include, with the public page that says so.

A table of our own. Names of DKIM keys need no table: a signature that passed names its domain, and one that did not
proves nothing.
"""

from typing import NamedTuple


class LargeSender(NamedTuple):
    """One line."""

    name: str
    spf: str  # the root that customers include
    source: str  # where the sender says so


LARGE_SENDERS = (
    LargeSender("Google", "_spf.google.com", "https://support.google.com/a/answer/33786"),
    LargeSender(
        "Microsoft 365",
        "spf.protection.outlook.com",
        "https://learn.microsoft.com/defender-office-365/email-authentication-spf-configure",
    ),
    LargeSender(
        "Amazon SES",
        "amazonses.com",
        "https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-spf.html",
    ),
    LargeSender("Twilio SendGrid", "sendgrid.net", "https://www.twilio.com/docs/sendgrid/glossary/spf"),
    LargeSender("Mailgun", "mailgun.org", "https://documentation.mailgun.com/docs/mailgun/user-manual/domains/"),
    LargeSender("Mailchimp", "servers.mcsv.net", "https://mailchimp.com/help/set-up-email-domain-authentication/"),
    LargeSender(
        "Mailchimp Transactional",
        "spf.mandrillapp.com",
        "https://mailchimp.com/developer/transactional/docs/authentication-delivery/",
    ),
    LargeSender("Postmark", "spf.mtasv.net", "https://postmarkapp.com/guides/spf"),
    LargeSender("Salesforce", "_spf.salesforce.com", "https://help.salesforce.com/s/articleView?id=000382664"),
    LargeSender("Zendesk", "mail.zendesk.com", "https://support.zendesk.com/hc/en-us/articles/4408832543770"),
    LargeSender("Zoho", "zohomail.com", "https://www.zoho.com/mail/help/adminconsole/spf-configuration.html"),
    LargeSender("Fastmail", "spf.messagingengine.com", "https://www.fastmail.help/hc/en-us/articles/360060591153"),
    LargeSender("Proton", "_spf.protonmail.ch", "https://proton.me/support/anti-spoofing-custom-domain"),
    LargeSender("Apple iCloud", "icloud.com", "https://support.apple.com/en-us/102374"),
)
