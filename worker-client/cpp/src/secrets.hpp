#pragma once

#include "orch/worker.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orch {

/// The value of a secret by its name, or nullopt where there is none.
using secret_lookup = std::function<std::optional<std::string>(const std::string &name)>;

/// ORCH_SECRET_NAME of the environment, else the file NAME of `directory` without the newline at its end.
[[nodiscard]] std::optional<std::string> find_secret(const std::string &directory, const std::string &name);

/// Puts secrets into the texts of one task, and remembers them so that no error tells them.
class secret_filler {
public:
    explicit secret_filler(secret_lookup lookup) : lookup_(std::move(lookup)) {}

    /// The text with each {{ secrets.NAME }} replaced, and each {{ '{' }}, by which the engine writes a brace that a value brought. Throws task_error
    /// where a secret is missing.
    [[nodiscard]] std::string fill(std::string_view text);
    /// The same for every text and key inside of a value.
    [[nodiscard]] json fill_all(const json &value);

    /// The text with every secret that was put in somewhere replaced by three asterisks.
    [[nodiscard]] std::string redact(std::string text) const;

private:
    secret_lookup lookup_;
    std::vector<std::string> told_;
};

}  // namespace orch
