// aspshell: accepts exactly the allowed command lines and refuses everything else; aspshell(1). sshd
// runs it as login shell (-c COMMAND) or as ForceCommand (SSH_ORIGINAL_COMMAND). It execs ascp_rproxy, or, on a
// transfer node, the command itself, never a shell.
#include <unistd.h>

#include <cstdio>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/child.h"
#include "base/env.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/tool.h"
#include "config/config.h"
#include "node.h"
#include "who/command_line.h"
#include "who/file_access.h"

namespace {

using command_line::Words;

const std::string kSelf = std::string(paths::kBin) + "aspshell";

// The command that the client asked for; absent for an interactive login. With ForceCommand, sshd has
// the login shell run the forced command, so this program may run twice: then the client's command is
// in SSH_ORIGINAL_COMMAND.
std::optional<std::string> original_command(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "-c" && argv[2] != kSelf && argv[2] != std::string(paths::kShell))
    return argv[2];
  if (argc != 1 && !(argc == 3 && std::string(argv[1]) == "-c")) return "aspshell with arguments";
  const char* forced = std::getenv("SSH_ORIGINAL_COMMAND");
  if (!forced) return std::nullopt;
  return forced;
}

std::optional<config::Command> allowed(const Words& words) {
  if (words.empty()) return std::nullopt;
  if (const auto found = command_line::find(words, command_line::built_in())) return found;
  try {
    return command_line::find(words, config::load(paths::kConfig).aspshell_commands);
  } catch (const tool::Failure& failure) {
    logging::error("Only the built-in commands are accepted: {}", logging::escape(failure.what()));
    return std::nullopt;
  }
}

// Nobody may be reading stderr; that must not change the answer.
void tell(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

int refuse(const std::string& command) {
  constexpr std::size_t kMaxShown = 200;
  const std::string shown = logging::escape(command.substr(0, kMaxShown)) + (command.size() > kMaxShown ? "…" : "");
  logging::error("Command not accepted user={} from={} command={}", logging::field(accounts::name_of(::getuid())),
                 logging::told(env::get("SSH_CONNECTION").value_or("-")), shown);
  tell("Command not accepted: " + shown);
  return tool::not_permitted;
}

int refuse_login() {
  const int code = refuse("interactive login");
  tell("This account only transfers files: use a transfer client, such as asp-cp.");
  return code;
}

// What aspera.conf has for us, if it says that our commands run on this host. Only a file of root's can say so; what
// is wrong with the file, ascp_rproxy or its helpers find, too, and say.
std::optional<file_access::Access> access_here(const std::string& user) {
  try {
    auto found = file_access::of_user(config::load_document(paths::kConfig, config::Author::root), user);
    if (found.here) return found;
  } catch (const tool::Failure&) {
  }
  return std::nullopt;
}

[[noreturn]] void conduct(const Words& words, bool udp) {
  child::Program conductor;
  conductor.argv = {std::string(paths::kLibexec) + "ascp_rproxy"};
  if (!udp) conductor.argv.push_back("-n");
  conductor.argv.push_back("--");
  conductor.argv.insert(conductor.argv.end(), words.begin(), words.end());
  conductor.environment =
      env::allow({"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "SSH_USER_AUTH", "TERM", "ASPERA_HOST"});
  child::replace(conductor);
}

int run(int argc, char** argv) {
  const auto command = original_command(argc, argv);
  if (!command) return refuse_login();
  const auto words = command_line::split(*command);
  const auto found = words ? allowed(*words) : std::nullopt;
  if (!found) return refuse(*command);
  const std::string user = accounts::name_of(::getuid());
  if (const auto here = access_here(user)) aspshell::serve_here(*words, *here, user);
  conduct(*words, found->udp);
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("aspshell", "aspshell [-c command]", run, argc, argv, tool::Audience::remote);
}
