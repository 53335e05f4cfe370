#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orch::bridge {

/// A parameter as text; the statement says its type (`$1::uuid`). nullopt is NULL.
using Param = std::optional<std::string>;
using Params = std::vector<Param>;

struct Statement {
    std::string sql;
    Params params;
};

/// What a statement returned, as text. Views into it live as long as it does.
class Rows {
public:
    Rows() = default;
    explicit Rows(PGresult *result) : result_(result) {}

    [[nodiscard]] int size() const { return PQntuples(result_.get()); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] int columns() const { return PQnfields(result_.get()); }
    [[nodiscard]] std::optional<std::string_view> get(int row, int column) const
    {
        if (PQgetisnull(result_.get(), row, column)) return std::nullopt;
        return std::string_view(PQgetvalue(result_.get(), row, column), static_cast<size_t>(PQgetlength(result_.get(), row, column)));
    }
    /// As get, NULL as the empty text.
    [[nodiscard]] std::string text(int row, int column) const { return std::string(get(row, column).value_or(std::string_view())); }
    [[nodiscard]] bool boolean(int row, int column) const { return get(row, column) == "t"; }

private:
    struct Clear {
        void operator()(PGresult *result) const { PQclear(result); }
    };
    std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace orch::bridge
