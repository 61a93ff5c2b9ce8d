# Who may do what, as an Open Policy Agent answers it: the built-in rules of ../policy.toml in Rego,
# to begin a policy of your own with. Served so:
#
#   opa run --server --addr 127.0.0.1:8181 soma.rego
#
# and asked by a server that was started with OPA_URL=http://127.0.0.1:8181. One question is
# `input`, several are `input.questions`; what a question holds says docs/policy.md. The rules of
# the server's own file are judged first, and what they deny nobody here is asked about.
package soma.policy

decision := decide(input)

decisions := [decide(question) | some question in input.questions]

# The first that fits.
decide(question) := no("identity", "Nobody is signed in.") if not is_signed_in(question)

else := no("left", "Whoever began this would not be let in any more.") if {
	question.context.caller_is_stale
}

else := yes("talk") if {
	some prefix in conversations
	startswith(question.action, prefix)
}

else := yes("admins-keep-the-house") if {
	question.user.role == "admin"
	question.action in house
}

else := yes("tools") if question.action == "tool.execute"

else := no("default", sprintf("No rule allows %s.", [question.action]))

conversations := {
	"conversation.",
	"session.",
	"attachment.",
	"workdir.",
	"memory.",
	"feedback.write",
	"llm.invoke",
	"egress.pii",
}

house := {
	"audit.read",
	"backup.make",
	"cluster.manage",
	"cluster.read",
	"credential.update",
	"dlq.manage",
	"key.manage",
	"mcp.update",
	"profile.update",
	"settings.update",
	"tool.catalog.update",
}

is_signed_in(question) if {
	question.tenant != ""
	question.user.id != ""
}

yes(rule) := {"allow": true, "rule": rule}

no(rule, reason) := {"allow": false, "rule": rule, "reason": reason}
