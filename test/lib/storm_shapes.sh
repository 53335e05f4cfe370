# The workflows of test/fault/storm. Sourced; `effect` is a table (run uuid, task text) into which each SQL task puts one row, with nothing to keep it from two.
# shellcheck shell=bash

# Faults cost attempts, so there are plenty; what is meant to fail says by its code that it is not tried again.
shape_defaults='"defaults":{"retries":60,"retry_delay_seconds":0.1,"retry_backoff":"fixed","retry_jitter":0}'

noop() { printf '"%s":{"handler":"noop"%s}' "$1" "${2:-}"; }
effect() { printf '"%s":{"sql":"insert into effect select $1::uuid, '"'%s'"' from pg_sleep(%s)","params":["{{ run.id }}"]%s}' "$1" "$1" "${3:-0}" "${2:-}"; }
bad() { printf '"%s":{"handler":"flaky","input":{"fail_times":100000},"no_retry_on":["flaky"]%s}' "$1" "${2:-}"; }
after() { printf ',"dependencies":["%s"]' "${1//,/\",\"}"; }

# shape NAME STATE TASKS [MORE [EXCEPT]]: how its runs must end; all its tasks succeed but those of EXCEPT, a list of {task: state}; null: nothing is said about tasks.
shape()
{
    register "{\"id\":\"$1\",$shape_defaults,\"tasks\":{$3}${4:+,$4}}"
    sql "insert into expected values ('$1', '$2', '${5:-{\}}')"
    shapes+=("$1")
}

define_shapes()
{
    local n middles='' names=''
    shapes=()
    sql 'create table effect (run uuid, task text); create table expected (workflow text primary key, state text, except_tasks jsonb)'
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        middles+="$(noop "m$n" "$(after first)"),"
        names+="${names:+,}m$n"
    done

    shape single succeeded "$(noop only)"
    shape chain succeeded "$(noop a),$(effect b "$(after a)"),$(noop c "$(after b)"),$(noop d "$(after c)")"
    shape wide succeeded "$(noop first),$middles$(noop last "$(after "$names")")"
    shape roots succeeded "$(noop a),$(effect b),$(noop c),$(noop d "$(after a,b,c)"),$(noop alone)"
    shape diamond succeeded "$(noop top ',"input":{"k":1}'),$(noop left "$(after top),\"when\":\"\$.tasks.top.output.k == 1\""),$(noop right "$(after top),\"when\":\"\$.tasks.top.output.k == 2\""),
        $(effect bottom "$(after left,right),\"trigger_rule\":\"none_failed\"")" '' '{"right":"skipped"}'
    shape handled succeeded "$(bad broken),$(noop fine),$(effect rescue "$(after broken),\"trigger_rule\":\"one_failed\""),
        $(noop both "$(after broken,fine),\"trigger_rule\":\"all_done\""),$(noop never "$(after broken)"),$(noop late "$(after rescue,both)")" \
        '"on_failure":"continue"' '{"broken":"failed","never":"upstream_failed"}'
    shape unhandled failed "$(bad broken),$(noop never "$(after broken)"),$(noop deeper "$(after never)"),$(noop other),$(effect further "$(after other)")" \
        '"on_failure":"continue"' '{"broken":"failed","never":"upstream_failed","deeper":"upstream_failed"}'
    shape fast failed "$(noop first),$(bad broken "$(after first)"),$(effect side "$(after first)" 0.1),$(noop late "$(after broken,side)")" \
        "\"finally\":{$(effect tidy),$(noop told)}" null
    shape flaky succeeded "\"a\":{\"handler\":\"flaky\",\"input\":{\"fail_times\":2}},$(noop b),\"c\":{\"handler\":\"flaky\",\"input\":{\"fail_times\":1}$(after a,b)}"
    shape nap succeeded "$(noop a),\"doze\":{\"sleep\":0.4$(after a)},\"sleep\":{\"sleep\":1.2$(after a)},$(effect b "$(after doze,sleep)")" "\"finally\":{$(effect tidy)}"
    shape sql succeeded "$(effect a '' 0.05),$(effect b "$(after a)"),$(effect c "$(after a)" 0.1),$(effect d "$(after b,c)"),\"sum\":{\"noop\":true,\"input\":\"{{ tasks.d.output.row_count }}\"$(after d)}" \
        '"output":{"rows":"{{ tasks.sum.output }}"}'
    shape commands succeeded "\"a\":{\"command\":\"sleep 0.2; echo 1\"},\"b\":{\"command\":\"sleep 1\"},$(effect c "$(after a,b)")"
    shape narrow succeeded "$(noop a),\"b\":{\"sleep\":0.1$(after a)},$(effect c "$(after b)")" '"max_active_runs":3'
    shape stopped cancelled "$(noop a),\"long\":{\"sleep\":3600$(after a)},\"longer\":{\"command\":\"sleep 3600\"},$(effect b "$(after long)")" "\"finally\":{$(effect tidy)}" null
}
