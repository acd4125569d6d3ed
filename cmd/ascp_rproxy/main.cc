// ascp_rproxy: conducts one session: match, dial, open the pinhole, wait, close, report;
// ascp_rproxy(8). aspshell runs it inside a session of sshd.
#include <unistd.h>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/env.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/tool.h"
#include "conductor.h"
#include "config/config.h"
#include "session/rules.h"
#include "ssh/upstream_command.h"

namespace {

constexpr char kUsage[] = "ascp_rproxy [-n] -- command [word ...]";

session::Request request_of(const std::vector<std::string>& words, bool udp) {
  const auto connection = env::get("SSH_CONNECTION");
  if (!connection) throw tool::Failure(tool::bad_input, "SSH_CONNECTION is not set: only sshd is to run this");
  session::Request request;
  request.user = accounts::name_of(::getuid());
  if (!accounts::is_name(request.user)) {
    throw tool::Failure(tool::not_permitted,
                        fmt::format("the account's name '{}' cannot be used: it has over 200 bytes, or / : , or a "
                                    "control character in it, or is not UTF-8 (INSTALL, Accounts and log-ins)",
                                    request.user));
  }
  session::request::read_ssh_connection(*connection, request);
  request.command = upstream::shell_command(words);
  request.udp = udp;
  return request;
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "n", kUsage);
  if (options.operands.empty()) options::fail_usage(kUsage, "a command is needed");
  const auto rproxy = config::load(paths::kConfig).rproxy;
  logging::set_level(rproxy.log_level);
  const bool udp = !options.has('n');
  const session::Request request = request_of(options.operands, udp);
  const bool by_name = session::rules::depends_on_domain(rproxy, request, {accounts::groups_of, {}});
  Conductor conductor(request, options.operands, udp, by_name);
  return conductor.conduct();
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("ascp_rproxy", kUsage, run, argc, argv, tool::Audience::remote); }
