// asp-cp: copy files the way ascp does, SSH for control and encrypted UDP for
// the data. A transfer tool of the same shape, not FASP.
#include "client.h"
#include "command_line.h"
#include "server.h"
#include "tool.h"

namespace {

int run(int argc, char** argv) {
  const auto command = asp_cp::Command::parse(argc, argv);
  return command.server ? asp_cp::serve() : asp_cp::transfer(command);
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-cp", run, argc, argv, tool::Audience::operators); }
