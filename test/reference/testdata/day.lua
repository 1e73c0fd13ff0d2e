-- A day's work with imapfilter; see clients_day_test.go.
options.timeout = 60
options.create = false
options.starttls = false
options.subscribe = false
options.expunge = true
options.wakeonany = true
options.namespace = false

local a = IMAP { server = os.getenv("IMAPHOST"), port = tonumber(os.getenv("IMAPPORT")), username = "imapfilter", password = "pass" }

local function check(ok, what)
  if not ok then error(what) end
end

local boxes = a:list_all()
check(#boxes == 1 and boxes[1] == "INBOX", "LIST: " .. table.concat(boxes, ","))
check(a:create_mailbox("INBOX/Day"), "CREATE")
check(a:create_mailbox("INBOX/Gone"), "CREATE")
check(a:subscribe_mailbox("INBOX/Day"), "SUBSCRIBE")
local day, inbox = a["INBOX/Day"], a.INBOX
local made = "From: you@example.org\r\nSubject: made\r\nMessage-ID: <made@example.org>\r\n\r\nWritten today\r\n"
check(day:append_message(made, { "\\Seen", "\\Flagged" }, "02-Nov-2026 10:00:00 +0000"), "APPEND")
local exist, _, _, _ = inbox:check_status()
check(exist == 5, "STATUS")
check(inbox[1]:fetch_message():find("Text of message 1", 1, true), "FETCH")
local m3 = inbox:contain_subject("m3")
check(#m3 == 1, "SEARCH")
m3:add_flags({ "\\Flagged", "\\Answered" })
inbox:contain_subject("m1"):copy_messages(day)
inbox:contain_subject("m2"):move_messages(day)
inbox:contain_subject("m4"):delete_messages()
io.stdout:write("new mail?\n")
io.stdout:flush()
check(inbox:enter_idle(), "IDLE")
check(a:delete_mailbox("INBOX/Gone"), "DELETE")
