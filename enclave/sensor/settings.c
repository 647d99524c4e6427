// SPDX-License-Identifier: Apache-2.0
/* What is to be watched, and what to be denied: the command line, read. */
#include "settings.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: sensor [--pid PID] [--cgroup DIRECTORY] [--only-allowed] [--allow ADDRESS[/BITS][:PORT]]...\n"
	"              [--kill CALL]... [--no-opens] [--no-calls] [--no-bytes] [--interval MILLISECONDS]\n"
	"              [--ring BYTES]\n"
	"An IPv6 address with a port stands in brackets: [2001:db8::1]:443.\n";

static void refuse(const char *sentence, const char *word)
{
	fprintf(stderr, "sensor: %s: %s\n%s", word, sentence, usage);
	exit(64);
}

static long number_of(const char *word, long least, long most)
{
	char *end;
	long value = strtol(word, &end, 10);
	if (!*word || *end || value < least || value > most)
		refuse("is no number, or none in the range that this takes", word);
	return value;
}

/* `text` is cut at its port, which is returned; 0 where there is none. */
static unsigned short cut_port(char *text, const char *word)
{
	char *bracket = *text == '[' ? strchr(text, ']') : NULL;
	char *colon = bracket ? strchr(bracket, ':') : strchr(text, ':');
	if (*text == '[' && !bracket)
		refuse("has no closing bracket", word);
	if (bracket) {
		memmove(text, text + 1, bracket - text - 1);
		/* What stands between the bracket and the port: a prefix length, or nothing. */
		char *rest = bracket + 1;
		size_t length = colon ? (size_t)(colon - rest) : strlen(rest);
		memmove(bracket - 1, rest, length);
		bracket[-1 + (long)length] = 0;
	} else if (colon && strchr(colon + 1, ':')) {
		colon = NULL; /* an IPv6 address by itself */
	} else if (colon) {
		*colon = 0;
	}
	return colon ? number_of(colon + 1, 1, 65535) : 0;
}

static struct destination destination_of(const char *word)
{
	struct destination to = {};
	char text[128];
	if (strlen(word) >= sizeof(text))
		refuse("is too long for an address", word);
	strcpy(text, word);
	to.port = cut_port(text, word);
	char *slash = strchr(text, '/');
	if (slash)
		*slash = 0;
	to.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	unsigned int most = to.family == AF_INET6 ? 128 : 32;
	to.bits = slash ? number_of(slash + 1, 0, most) : most;
	if (inet_pton(to.family, text, to.address) != 1)
		refuse("is no IP address; names are resolved by whoever starts the sensor", word);
	return to;
}

static void take(struct settings *settings, const char *name, const char *value)
{
	if (!value)
		refuse("needs a value", name);
	if (!strcmp(name, "--pid"))
		settings->pid = number_of(value, 1, 1 << 22);
	else if (!strcmp(name, "--cgroup"))
		settings->cgroup = value;
	else if (!strcmp(name, "--interval"))
		settings->interval_ms = number_of(value, 10, 600000);
	else if (!strcmp(name, "--ring"))
		settings->ring_bytes = number_of(value, 4096, 1 << 30);
	else if (!strcmp(name, "--allow") && settings->destination_count < MOST_DESTINATIONS)
		settings->destinations[settings->destination_count++] = destination_of(value);
	else if (!strcmp(name, "--kill") && settings->killed_count < MOST_KILLED)
		settings->killed[settings->killed_count++] = value;
	else
		refuse("is no setting, or was given too often", name);
}

/* Whether the word stands alone. */
static bool take_flag(struct settings *settings, const char *word)
{
	if (!strcmp(word, "--only-allowed"))
		settings->only_allowed = true;
	else if (!strcmp(word, "--no-opens"))
		settings->watch_opens = false;
	else if (!strcmp(word, "--no-calls"))
		settings->watch_calls = false;
	else if (!strcmp(word, "--no-bytes"))
		settings->watch_bytes = false;
	else
		return false;
	return true;
}

struct settings settings_of(int count, char **words)
{
	struct settings settings = {
		.watch_opens = true, .watch_calls = true, .watch_bytes = true, .interval_ms = 1000};
	for (int at = 1; at < count; at++) {
		if (take_flag(&settings, words[at]))
			continue;
		take(&settings, words[at], at + 1 < count ? words[at + 1] : NULL);
		at++;
	}
	if (!settings.pid && !settings.cgroup)
		refuse("is missing: there would be nobody to watch", "--pid or --cgroup");
	if (settings.only_allowed && !settings.cgroup)
		refuse("needs --cgroup: connections can be denied only to a cgroup", "--only-allowed");
	return settings;
}
