-- Plays mail to examples-c/gatekeeper. From outside: program, socket.
-- Notes what a step gives; steps that were negotiated away raise an error.
local function step(name, call, ...)
	local fine, result = pcall(call, ...)
	mt.echo(name .. ": " .. tostring(result) .. (fine and "" or " (raised)"))
end

mt.startfilter(program, socket)
local connection = mt.connect(socket, 400, 0.05)
if connection == nil then error("no connection to " .. socket) end

step("conninfo", mt.conninfo, connection, "client.example", "192.0.2.1")
step("unknown", mt.unknown, connection, "NONSENSE")
for _, sender in ipairs({"<seller@spam.example>", "<a@slow.example>", "<a@a.example>"}) do
	step(sender, mt.mailfrom, connection, sender)
	step(sender .. " reply", mt.getreply, connection)
	step(sender .. " refused", mt.eom_check, connection, MT_SMTPREPLY, "550")
	step(sender .. " later", mt.eom_check, connection, MT_SMTPREPLY, "451", "4.7.1")
end
for _, recipient in ipairs({"<gone@b.example>", "<busy@b.example>", "<trap@b.example>"}) do
	step(recipient, mt.rcptto, connection, recipient)
	step(recipient .. " reply", mt.getreply, connection)
end
step("Subject", mt.header, connection, "Subject", "x")
step("eoh", mt.eoh, connection)
step("body", mt.bodyrandom, connection, 200000)
step("eom", mt.eom, connection)
step("end reply", mt.getreply, connection)
step("quarantined", mt.eom_check, connection, MT_QUARANTINE)
mt.disconnect(connection)
