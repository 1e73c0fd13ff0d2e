# A day's work with Python's imaplib; see clients_day_test.go.
import imaplib, sys

host, port, user = sys.argv[1:]
m = imaplib.IMAP4(host, int(port))
m.login(user, "pass")


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


assert any(b"INBOX" in l for l in ok(m.list()))
ok(m.create("INBOX/Day"))
ok(m.create("INBOX/Gone"))
ok(m.subscribe("INBOX/Day"))
made = b"From: you@example.org\r\nSubject: made\r\nMessage-ID: <made@example.org>\r\n\r\nWritten today\r\n"
ok(m.append("INBOX/Day", r"(\Seen \Flagged)", '"02-Nov-2026 10:00:00 +0000"', made))
assert ok(m.select("INBOX")) == [b"5"]
text = ok(m.fetch("1", "(BODY[])"))[0][1]
assert b"Subject: m1\r\n" in text and text.endswith(b"Text of message 1\r\n"), text
n = ok(m.search(None, "SUBJECT", '"m3"'))[0]
assert n == b"3", n
ok(m.store(n, "+FLAGS", r"(\Flagged \Answered)"))
assert ok(m.sort("(REVERSE DATE)", "UTF-8", "ALL")) == [b"5 4 3 2 1"]
assert ok(m.thread("REFERENCES", "UTF-8", "ALL")) == [b"(1)(2)(3)(4)(5)"]
ok(m.copy("1", "INBOX/Day"))
ok(m.uid("STORE", "4", "+FLAGS", r"(\Deleted)"))
assert ok(m.expunge()) == [b"4"]
imaplib.Commands["MOVE"] = ("SELECTED",)
ok(m._simple_command("MOVE", "2", "INBOX/Day"))
assert ok(m.status("INBOX/Day", "(MESSAGES UNSEEN)"))[0].startswith(b"INBOX/Day (MESSAGES 3 UNSEEN ")
m.send(b"idle1 IDLE\r\n")
assert m.readline().startswith(b"+")
print("new mail?", flush=True)
while b"4 EXISTS" not in m.readline():
    pass
m.send(b"DONE\r\n")
while not m.readline().startswith(b"idle1 OK"):
    pass
ok(m.noop())
assert len(ok(m.getquotaroot("INBOX"))) == 2
assert b"lrswipkxtecdan" in ok(m.myrights("INBOX"))[0]
ok(m.close())
ok(m.delete("INBOX/Gone"))
m.logout()
