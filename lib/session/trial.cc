#include "session/trial.h"

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/child.h"
#include "base/env.h"
#include "base/failure.h"

namespace session::trial {
namespace {

constexpr char kProgram[] = "/bin/true";
constexpr int kSeconds = 5;

}  // namespace

Record question() {
  Record record;
  record.add("trial", "sudo");
  return record;
}

bool is_question(const Record& record) { return record.text() == question().text(); }

status::Line answer(const std::string& account) {
  try {
    child::Program program{{kProgram}, env::allow({}), {}};
    if (!account.empty()) program.identity = accounts::identity_of(account);
    const auto output = child::run(program, "", 4096, kSeconds);
    if (output.status == 0) return {"works", {}};
    return status::Line{"failed", {}}.with("reason", fmt::format("{} ended with {}", kProgram, output.status));
  } catch (const tool::Failure& failure) {
    return status::Line{"failed", {}}.with("reason", failure.what());
  }
}

}  // namespace session::trial
