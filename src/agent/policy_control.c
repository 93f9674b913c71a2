/*
 * A described request is decided by the same pure function as a real one. See policy_control.h.
 */
#include "policy_control.h"

#include <ctype.h>
#include <string.h>

#include <keystile/cleanup.h>

#include "agent.h"
#include "policy.h"
#include "sign_check.h"
#include "status.h"

static json_t *failure(const char *words)
{
	return json_pack("{s:b,s:s}", "ok", 0, "error", words);
}

/* ---- The rules in force ---- */

static json_t *subjects_json(unsigned subjects)
{
	json_t *list = json_array();

	for (int kind = 0; kind <= SUBJECT_CERTIFICATE; kind++)
		if ((subjects & 1U << kind) != 0)
			json_array_append_new(
				list, json_string(policy_subject_name((enum subject_kind)kind)));
	return list;
}

static json_t *patterns_json(char *const *patterns)
{
	json_t *list = json_array();

	for (size_t i = 0; patterns[i] != NULL; i++)
		json_array_append_new(list, foreign_text(patterns[i]));
	return list;
}

static json_t *rule_json(const struct policy_rule *rule)
{
	json_t *object =
		json_pack("{s:s,s:s}", "name", rule->name, "then", policy_then_name(rule->then));

	if (rule->origin != POLICY_ANYWHERE)
		json_object_set_new(object, "origin",
			json_string(rule->origin == POLICY_REMOTE ? "remote" : "local"));
	if (rule->subjects != 0)
		json_object_set_new(object, "subject", subjects_json(rule->subjects));
	for (int list = 0; list < POLICY_LIST_COUNT; list++)
		if (rule->lists[list] != NULL)
			json_object_set_new(object, policy_list_name((enum policy_list)list),
				patterns_json(rule->lists[list]));
	if (rule->remember_s != 0)
		json_object_set_new(object, "remember_seconds", json_integer(rule->remember_s));
	return object;
}

json_t *policy_show_json(const struct agent *agent)
{
	json_t *list = json_array();

	for (size_t i = 0; i < agent->config.rules.count; i++)
		json_array_append_new(list, rule_json(&agent->config.rules.list[i]));
	return json_pack("{s:b,s:o}", "ok", 1, "rules", list);
}

/* ---- Which one would decide ---- */

/* What the request describes; texts are borrowed from it. */
struct description {
	const char *key;
	const char *to;
	struct subject subject;
	struct policy_facts facts;	/* as far as they do not depend on the key */
	char name[POLICY_TEXT_MAX + 1]; /* to, as known_hosts names are compared */
	const char *names[2];
};

static bool known(const char *key)
{
	static const char *const keys[] = {
		"command", "key", "origin", "subject", "to", "namespace", "executable", "listener"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static const char *text_of(const json_t *request, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(request, key));

	return text != NULL ? text : otherwise;
}

/* Words for what is wrong with the request's form, or NULL. */
static const char *form_flaw(const json_t *request)
{
	const char *key;
	const json_t *value;

	/* The macro casts away const from what it only reads. */
	json_object_foreach((json_t *)(uintptr_t)request, key, value)
	{
		if (!known(key))
			return "this agent does not know one of the conditions";
		if (!json_is_string(value))
			return "each condition is a text";
	}
	return NULL;
}

static const char *subject_flaw(struct description *out, const char *word)
{
	int kind = 0;

	while (kind <= SUBJECT_CERTIFICATE &&
		strcmp(word, policy_subject_name((enum subject_kind)kind)) != 0)
		kind++;
	if (kind > SUBJECT_CERTIFICATE)
		return "the subject must be login, sshsig, certificate or unrecognised";
	out->subject.kind = (enum subject_kind)kind;
	if (out->to != NULL && kind != SUBJECT_LOGIN)
		return "only a login has a destination";
	if (out->subject.sign_namespace.len > 0 && kind != SUBJECT_SSHSIG)
		return "only the subject sshsig has a namespace";
	return NULL;
}

/* The same. */
static const char *describe(const json_t *request, struct description *out)
{
	const char *origin = text_of(request, "origin", "local");
	const char *sign_namespace = text_of(request, "namespace", NULL);
	const char *flaw = form_flaw(request);

	*out = (struct description){
		.key = text_of(request, "key", NULL), .to = text_of(request, "to", NULL)};
	if (flaw != NULL)
		return flaw;
	if (out->key == NULL)
		return "the fingerprint of a key is missing";
	if (strcmp(origin, "local") != 0 && strcmp(origin, "remote") != 0)
		return "the origin must be local or remote";
	if (sign_namespace != NULL)
		out->subject.sign_namespace = bytes_of(sign_namespace);
	if (out->to != NULL && strlen(out->to) > POLICY_TEXT_MAX)
		return "the destination is too long";
	for (size_t i = 0; out->to != NULL && out->to[i] != '\0'; i++)
		out->name[i] = (char)tolower((unsigned char)out->to[i]);
	out->names[0] = out->to == NULL ? NULL : out->name;
	out->facts = (struct policy_facts){.remote = strcmp(origin, "remote") == 0,
		.listener = text_of(request, "listener", "agent"),
		.executable = text_of(request, "executable", NULL),
		.destination_proven = out->to != NULL,
		.destination_names = out->names};
	flaw = subject_flaw(
		out, text_of(request, "subject", sign_namespace != NULL ? "sshsig" : "login"));
	out->facts.subject = out->subject.kind;
	return flaw;
}

/* Whether it is the fingerprint of these bytes. */
static bool is_of(const char *fingerprint, struct bytes blob)
{
	AUTO(text) own = public_key_fingerprint(blob);

	return own != NULL && strcmp(own, fingerprint) == 0;
}

/* Keys of a long list are not all parsed for this, since what was parsed is kept. */
static bool may_be_certificate(const struct key *key)
{
	static const char end[] = "-cert-v01@openssh.com";
	struct reader reader = reader_of(buf_bytes(&key->blob));
	struct bytes type = reader_string(&reader);

	return type.len > strlen(end) &&
	       memcmp(type.data + type.len - strlen(end), end, strlen(end)) == 0;
}

/* Among the keys that are offered, by its own fingerprint or that of the key it certifies. */
static struct key *find_key(struct agent *agent, const char *fingerprint)
{
	for (struct key *key = agent->keyring.first; key != NULL; key = key->next) {
		const struct public_key *parsed;

		if (key_source(key) == NULL)
			continue;
		if (is_of(fingerprint, buf_bytes(&key->blob)))
			return key;
		parsed = may_be_certificate(key) ? key_public(key) : NULL;
		if (parsed != NULL && is_of(fingerprint, buf_bytes(&parsed->plain)))
			return key;
	}
	return NULL;
}

/* The rules before the one that decides, and the condition of each that does not hold. */
static json_t *passed_json(const struct policy_rules *rules, const struct policy_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rules->count; i++) {
		const char *obstacle = policy_rule_obstacle(&rules->list[i], facts);

		if (obstacle == NULL)
			break;
		json_array_append_new(list,
			json_pack("{s:s,s:s}", "rule", rules->list[i].name, "condition", obstacle));
	}
	return list;
}

static json_t *verdict_json(const struct policy_rules *rules, const struct policy_facts *facts)
{
	struct policy_verdict verdict = policy_decide(facts, rules);

	return json_pack("{s:b,s:b,s:s,s:b,s:i,s:s*,s:s,s:s*,s:o}", "ok", 1, "allowed",
		verdict.allowed, "demand", policy_demand_name(verdict.demand), "confirm",
		verdict.confirm, "remember_seconds", (int)verdict.remember_s, "rule",
		verdict.rule[0] != '\0' ? verdict.rule : NULL, "reason", verdict.reason, "remedy",
		verdict.remedy, "passed", passed_json(rules, facts));
}

json_t *policy_test_json(struct agent *agent, const json_t *request)
{
	struct description description;
	struct rule_texts texts = {0};
	const char *flaw = describe(request, &description);
	struct policy_facts facts;
	struct key *key;
	json_t *answer;

	if (flaw != NULL)
		return failure(flaw);
	key = find_key(agent, description.key);
	if (key == NULL)
		return failure("no key with that fingerprint is offered; ssh-add -l lists them");
	if (!rule_texts_init(&texts, key, &description.subject))
		return NULL;
	facts = description.facts;
	sign_facts_of_key(agent, key, &texts, &facts);
	answer = verdict_json(&agent->config.rules, &facts);
	rule_texts_deinit(&texts);
	return answer;
}
