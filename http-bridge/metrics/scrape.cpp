#include "metrics/scrape.hpp"

#include "bridge.hpp"
#include "metrics/meters.hpp"

#include <nlohmann/json.hpp>

namespace orch::bridge {

namespace {

double value_of(const std::string &text)
{
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    return std::stod(text);
}

std::vector<Family> families_of(const Rows &rows)
{
    std::vector<Family> families;
    for (int i = 0; i < rows.size(); i++) {
        const std::string name = rows.text(i, 0);
        if (families.empty() || families.back().name != name) families.push_back({name, rows.text(i, 1), rows.text(i, 2), rows.text(i, 3), {}});
        Labels labels;
        const auto named = nlohmann::ordered_json::parse(rows.text(i, 5));
        for (const auto &[label, value] : named.items()) labels.emplace_back(label, value.get<std::string>());
        families.back().samples.push_back({rows.text(i, 4), std::move(labels), value_of(rows.text(i, 6))});
    }
    return families;
}

}  // namespace

boost::asio::awaitable<std::vector<Family>> scrape(Bridge &bridge, const Principal &principal)
{
    std::vector<Family> families;
    bool up = true;
    try {
        std::string sql = "select name, type, unit, help, sample, labels, value from orch.metrics"
                          " order by place, labels - 'le', sample, case labels ->> 'le' when '+Inf' then 'Infinity' else labels ->> 'le' end::float8";
        Params none;
        const Rows rows = co_await bridge.pool.run(principal, std::move(sql), std::move(none));
        families = families_of(rows);
    } catch (const DatabaseError &error) {
        if (status_of(error.code) < 500) throw;
        up = false;
    }
    const std::vector<Family> own = bridge.meters->collect(bridge);
    families.insert(families.end(), own.begin(), own.end());
    families.push_back({"orch_bridge_database_up", "gauge", "", "1 where the database answered.", {{"orch_bridge_database_up", {}, up ? 1.0 : 0.0}}});
    co_return families;
}

}  // namespace orch::bridge
