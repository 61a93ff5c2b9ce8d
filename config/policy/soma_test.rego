# opa test config/policy
package soma.policy_test

import data.soma.policy

ask(user, action) := {
	"tenant": "t",
	"user": user,
	"action": action,
	"resource": {"type": "x"},
	"context": {"door": "http", "caller_is_stale": false},
}

ann := {"id": "ann", "role": "user", "groups": []}

root := {"id": "root", "role": "admin", "groups": []}

test_everybody_talks if {
	every action in ["conversation.send", "session.export", "memory.write", "llm.invoke", "egress.pii"] {
		policy.decision == {"allow": true, "rule": "talk"} with input as ask(ann, action)
	}
}

test_tools_run_for_everybody if {
	policy.decision == {"allow": true, "rule": "tools"} with input as ask(ann, "tool.execute")
}

test_the_house_is_for_admins if {
	every action in policy.house {
		not policy.decision.allow with input as ask(ann, action)
		policy.decision.rule == "default" with input as ask(ann, action)
		policy.decision.allow with input as ask(root, action)
	}
}

test_what_nobody_knows_is_denied if {
	said := policy.decision with input as ask(root, "house.burn")
	said == {"allow": false, "rule": "default", "reason": "No rule allows house.burn."}
}

test_nobody_is_denied if {
	every nobody in [{"id": "", "role": "admin", "groups": []}, {"role": "admin"}] {
		policy.decision.rule == "identity" with input as ask(nobody, "conversation.send")
	}
	not policy.decision.allow with input as {}
	not policy.decision.allow with input as "text"
}

test_who_has_left_does_nothing if {
	question := json.patch(
		ask(root, "tool.execute"),
		[{"op": "replace", "path": "/context/caller_is_stale", "value": true}],
	)
	policy.decision.rule == "left" with input as question
}

test_several_questions_are_answered_in_order if {
	said := policy.decisions with input as {"questions": [
		ask(ann, "tool.execute"),
		ask(ann, "key.manage"),
		ask(root, "key.manage"),
	]}
	[one.rule | some one in said] == ["tools", "default", "admins-keep-the-house"]
}

test_no_questions_have_no_answers if {
	policy.decisions == [] with input as {"questions": []}
}
