/* A plugin in C: cc -shared -fPIC -o wordcount.so plugin.c, then orch worker --plugin ./wordcount.so */
#include <orch/plugin.h>

#include <stdio.h>
#include <string.h>

/* The input is JSON; this handler takes a plain JSON string and counts the words between its quotes. */
static void count_words(void *state, const orch_host *host, orch_plugin_task *task, const orch_plugin_facts *facts, const char *input)
{
    char output[64], line[128];
    size_t words = 0, length = strlen(input);
    (void)state;
    if (length < 2 || input[0] != '"') {
        host->fail(task, "validation", "no_text", "the input is no text");
        return;
    }
    if (length == 2) {
        host->skip(task, "an empty text has no words");
        return;
    }
    for (size_t i = 1; i + 1 < length; i++) {
        if (host->stop_requested(task)) return;
        words += input[i] != ' ' && (i == 1 || input[i - 1] == ' ');
    }
    snprintf(line, sizeof line, "%zu words in attempt %d of %s", words, facts->attempt, facts->task_id);
    host->log(task, line);
    host->progress(task, "{\"done\": 1}");
    snprintf(output, sizeof output, "{\"words\": %zu}", words);
    host->complete(task, output);
}

static const orch_plugin_handler handlers[] = {{"wordcount", 0, count_words, NULL}};
ORCH_PLUGIN(handlers);
