-- Plays mail to examples-c/rewrite. From outside: program, socket, body.
-- Notes what a step gives; steps that were negotiated away raise an error.
local function step(name, call, ...)
	local fine, result = pcall(call, ...)
	mt.echo(name .. ": " .. tostring(result) .. (fine and "" or " (raised)"))
end

mt.startfilter(program, socket, "old@a.example", "new@b.example", body)
local connection = mt.connect(socket, 400, 0.05)
if connection == nil then error("no connection to " .. socket) end

for version = 6, 2, -1 do
	local name = "version " .. version .. " "
	if version < 6 then connection = mt.connect(socket) end
	step(name .. "negotiate", mt.negotiate, connection, version, nil, nil)
	step(name .. "conninfo", mt.conninfo, connection, "client.example", "192.0.2.1")
	mt.macro(connection, SMFIC_MAIL, "i", "test-id")
	step(name .. "mailfrom", mt.mailfrom, connection, "<old@a.example>")
	step(name .. "rcptto", mt.rcptto, connection, "<old@a.example>")
	step(name .. "From", mt.header, connection, "From", "Old <old@a.example>")
	step(name .. "X-Mailer", mt.header, connection, "X-Mailer", "one")
	step(name .. "X-Mailer again", mt.header, connection, "X-Mailer", "two")
	step(name .. "eoh", mt.eoh, connection)
	step(name .. "body", mt.bodystring, connection, "old\r\n")
	step(name .. "eom", mt.eom, connection)
	step(name .. "reply", mt.getreply, connection)
	step(name .. "inserted", mt.eom_check, connection, MT_HDRINSERT, "X-Old-Address")
	step(name .. "changed", mt.eom_check, connection, MT_HDRCHANGE, "From", "new@b.example")
	step(name .. "deleted", mt.eom_check, connection, MT_HDRDELETE, "X-Mailer")
	step(name .. "added", mt.eom_check, connection, MT_HDRADD, "X-Rewritten")
	step(name .. "new body", mt.eom_check, connection, MT_BODYCHANGE)
	step(name .. "recipient", mt.eom_check, connection, MT_RCPTADD, "new@b.example")
	step(name .. "other", mt.eom_check, connection, MT_RCPTADD, "nobody@b.example")
	step(name .. "removed", mt.eom_check, connection, MT_RCPTDELETE, "old@a.example")
	mt.disconnect(connection)
end
