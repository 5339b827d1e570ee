-- Plays mail to an opendkim that signs. From outside: program, config, socket, ip.
-- Notes what a step gives; steps that were negotiated away raise an error.
local function step(name, call, ...)
	local fine, result = pcall(call, ...)
	mt.echo(name .. ": " .. tostring(result) .. (fine and "" or " (raised)"))
end

-- Letters of replies are numbers here.
local function said(connection, what)
	local reply = mt.getreply(connection)
	mt.echo(what .. " was answered " .. (reply == 0 and "nothing" or string.char(reply)))
end

mt.startfilter(program, "-f", "-x", config)
local connection = mt.connect(socket, 400, 0.05)
if connection == nil then error("no connection to " .. socket) end

step("negotiate", mt.negotiate, connection, nil, nil, nil)
step("adds headers", mt.test_action, connection, SMFIF_ADDHDRS)
step("quarantines", mt.test_action, connection, SMFIF_QUARANTINE)
mt.echo("no HELO: " .. tostring(mt.test_option(connection, SMFIP_NOHELO)))
mt.macro(connection, SMFIC_CONNECT, "j", "mx.test.example", "{daemon_name}", "test")
step("conninfo", mt.conninfo, connection, "client.example", ip)
said(connection, "connect")
step("helo", mt.helo, connection, "client.example")

for round = 1, 3 do
	local name = "round " .. round .. " "
	mt.macro(connection, SMFIC_MAIL, "i", "test-" .. round, "{mail_addr}", "author@a.example")
	step(name .. "mailfrom", mt.mailfrom, connection, "<author@a.example>", "SIZE=100")
	said(connection, name .. "mail")
	step(name .. "rcptto", mt.rcptto, connection, "<reader@b.example>")
	said(connection, name .. "rcpt")
	step(name .. "data", mt.data, connection)
	for _, header in ipairs({
		{"From", "author@a.example"},
		{"Subject", "round " .. round},
		{"Date", "Fri, 21 Nov 2025 03:40:23 +0000"},
		{"Message-ID", "<" .. round .. "@a.example>"},
	}) do
		step(name .. header[1], mt.header, connection, header[1], header[2])
		said(connection, name .. header[1])
	end
	step(name .. "eoh", mt.eoh, connection)
	said(connection, name .. "eoh")
	step(name .. "body", mt.bodystring, connection, "a body\r\n")
	step(name .. "body again", mt.bodystring, connection, "in two parts\r\n")
	said(connection, name .. "body")
	if round == 2 then
		step(name .. "abort", mt.abort, connection)
		said(connection, name .. "abort")
	else
		step(name .. "eom", mt.eom, connection)
		said(connection, name .. "eom")
		step(name .. "inserted", mt.eom_check, connection, MT_HDRINSERT, "DKIM-Signature")
		step(name .. "added", mt.eom_check, connection, MT_HDRADD, "DKIM-Signature")
		step(name .. "body changed", mt.eom_check, connection, MT_BODYCHANGE)
		step(name .. "quarantined", mt.eom_check, connection, MT_QUARANTINE)
		step(name .. "reply set", mt.eom_check, connection, MT_SMTPREPLY, "550")
		step(name .. "signature", mt.getheader, connection, "DKIM-Signature", 0)
	end
end
mt.disconnect(connection)

-- A second one leaves without a word, in the middle of a message.
connection = mt.connect(socket)
step("second conninfo", mt.conninfo, connection, "client.example", "unspec")
said(connection, "second connect")
step("second mailfrom", mt.mailfrom, connection, "<author@a.example>")
said(connection, "second mail")
mt.disconnect(connection, false)
mt.signal(15)
