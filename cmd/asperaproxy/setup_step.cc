#include "setup_step.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include <fmt/core.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/signals.h"
#include "base/whole_file.h"
#include "verdict.h"

namespace asperaproxy::setup {
namespace {

constexpr int kStepSeconds = 90;

// What a file of somebody else's says may be in it.
void say_lines(const std::string& text) {
  std::string shown;
  for (const auto line : cut::lines(text)) shown += doctor::pasteable(line) + "\n";
  io::write_all(STDOUT_FILENO, shown);
}

void write(const File& file) {
  const std::string folder = file.path.substr(0, file.path.rfind('/'));
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) tool::fail_errno(tool::os, "make " + folder);
  whole_file::write(file.path, file.text, {.mode = file.mode, .durable = true});
}

// As one writes it in a shell.
std::string shown(const std::vector<std::string>& argv) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-[]";
  std::string text;
  for (const auto& word : argv) {
    const bool plain = !word.empty() && word.find_first_not_of(kPlain) == word.npos;
    text += fmt::format("{}{}", text.empty() ? "" : " ", plain ? word : fmt::format("'{}'", word));
  }
  return text;
}

// The suite's own tools begin their messages with their name, others often do not.
void require(int status, std::string_view said, const Command& command) {
  if (status == 0) return;
  const auto lines = cut::lines(said);
  const std::string why(!lines.empty()                       ? std::string(lines.back())
                        : command.asks && status == tool::no ? "the answer was not yes"
                                                             : child::describe(status));
  throw tool::Failure(tool::is_exit(status) && status != tool::no ? static_cast<tool::Exit>(status) : tool::os,
                      fmt::format("{}: {}", shown(command.argv), why));
}

void run(const Command& command) {
  const child::Program program{
      command.argv, env::allow({"SUDO_USER", "SUDO_UID", "TERM", "PATH", "DEBIAN_FRONTEND"}), {}};
  if (command.asks) return require(child::spawn(program).wait(), "", command);
  const auto done = child::run(program, command.input, kMostOutput, kStepSeconds);
  require(done.status, done.err.empty() ? done.out : done.err, command);
}

std::vector<std::string> files_of(const Step& step) {
  std::vector<std::string> paths = step.touched;
  for (const auto& file : step.files) paths.push_back(file.path);
  return paths;
}

std::string diff(const File& file) {
  const bool is_there = text_of(file.path).has_value();
  const child::Program program{{"/usr/bin/diff", "-u", "--label", is_there ? file.path : "/dev/null", "--label",
                                file.path, "--", is_there ? file.path : "/dev/null", "-"},
                               env::allow({}),
                               {}};
  return child::run(program, file.text, kMostOutput, kStepSeconds).out;
}

}  // namespace

std::string suite_program(const char* name) { return std::string(paths::kBin) + name; }

void Step::want(const File& file) {
  if (text_of(file.path) != file.text) files.push_back(file);
}

void take(const Step& step, Journal& journal) {
  if (step.is_done()) return say_lines(fmt::format("ok    {}: {}\n", step.name, step.state));
  // A key that is typed ends the program that runs, and so the step; what it did is taken back.
  const SignalsPutOff put_off({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP});
  journal.begin(step.name, files_of(step), step.undo);
  try {
    with_failures([&] {
      for (const auto& file : step.files) {
        write(file);
        journal.written(file.path);
      }
      for (const auto& command : step.commands) run(command);
      if (step.trial) step.trial();
      journal.finish();
    });
  } catch (const tool::Failure& failure) {
    journal.take_back();
    throw tool::Failure(failure.code(),
                        fmt::format("{}: {}. What this step did is taken back. Mend that, and run asperaproxy setup "
                                    "again: it goes on from here; --undo takes back the other steps, too",
                                    step.name, failure.what()));
  }
  say_lines(fmt::format("done  {}: {}\n", step.name, step.state));
  logging::event("Setup: {}: {}", step.name, logging::escape(step.state));
}

void show(const Step& step) {
  if (step.is_done()) return say_lines(fmt::format("ok    {}: {}\n", step.name, step.state));
  std::string text = fmt::format("would {}: {}\n", step.name, step.state);
  for (const auto& file : step.files) text += diff(file);
  for (const auto& command : step.commands) text += fmt::format("  + {}\n", shown(command.argv));
  say_lines(text);
}

}  // namespace asperaproxy::setup
