// Reading a large result bit by bit.
#pragma once

#include "pg/statement.hpp"

namespace orch::pg {

class Cursor {
public:
    /// Opens a query without parameters; planned as PostgreSQL sees fit, since it reads much.
    explicit Cursor(const std::string &query);

    /// The next rows, none at the end. They are gone at the next call.
    Rows next(int64 limit);

    /// Closes it; an error closes it too, with the transaction.
    void close();

private:
    Portal portal_ = nullptr;
    SPITupleTable *table_ = nullptr;
};

}  // namespace orch::pg
