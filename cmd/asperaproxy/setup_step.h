// setup_step: one thing that `asperaproxy setup` sees to. A step says what is missing, how it is done, and how it is
// undone; one engine does it, shows it, and takes it back.
//
//   done  sshd: listens on 22 and 33001, and confines the group sallyport
//   ok    cron: asp-reap runs every minute
//   would service: ...                                       with --dry-run, and then each change:
//     + /usr/bin/systemctl enable asperaproxy
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "base/failure.h"
#include "setup_journal.h"

namespace asperaproxy::setup {

// At most this much of a program's output is read.
constexpr std::size_t kMostOutput = 4 * 1024 * 1024;

// A file as it shall be.
struct File {
  std::string path;
  std::string text;
  unsigned mode = 0644;
};

struct Command {
  std::vector<std::string> argv;
  std::string input = {};
  bool asks = false;  // it has the terminal, and as long as the person wants
};

// Where a program of the suite is.
std::string suite_program(const char* name);

struct Step {
  std::string name;
  std::string state;                                // how it is when it is done, in one line
  std::vector<File> files = {};                     // those that are not so yet
  std::vector<std::string> touched = {};            // files that the commands change
  std::vector<Command> commands = {};               // after the files
  std::vector<std::vector<std::string>> undo = {};  // after the files are as they were
  std::function<void()> trial = {};                 // whether it works now; a Failure takes it back

  bool is_done() const { return files.empty() && commands.empty(); }
  // Adds the file if its text is another one now.
  void want(const File& file);
};

// An exception of the standard library is a Failure{71} like any other.
auto with_failures(const auto& work) {
  try {
    return work();
  } catch (const tool::Failure&) {
    throw;
  } catch (const std::exception& error) {
    throw tool::Failure(tool::os, error.what());
  }
}

// Does the step, or nothing if it is done, and says so in one line. What fails is taken back before the Failure is
// thrown, which has the step's name in front and says how to go on.
void take(const Step& step, Journal& journal);
// Says what take() would do: files as diffs, commands as they are.
void show(const Step& step);

}  // namespace asperaproxy::setup
