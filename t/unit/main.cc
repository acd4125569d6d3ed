// Runs the unit tests and reports in TAP, a line for each test case.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>
#include <iostream>
#include <sstream>
#include <string>

namespace {

class TapReporter : public doctest::IReporter {
 public:
  explicit TapReporter(const doctest::ContextOptions& options) : out_(*options.cout) {}

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override { out_ << "1.." << count_ << '\n'; }
  void test_case_start(const doctest::TestCaseData& test) override {
    name_ = test.m_name;
    failures_.str("");
  }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    const bool failed = stats.failure_flags != 0;
    out_ << (failed ? "not ok " : "ok ") << ++count_ << " - " << name_ << '\n' << failures_.str() << std::flush;
  }
  void test_case_exception(const doctest::TestCaseException& exception) override {
    failures_ << "# threw: " << exception.error_string << '\n';
  }
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData& assertion) override {
    if (!assertion.m_failed) return;
    failures_ << "# " << assertion.m_file << ':' << assertion.m_line << ": " << assertion.m_expr;
    if (assertion.m_threw) failures_ << " threw " << assertion.m_exception;
    else failures_ << " is " << assertion.m_decomp;
    failures_ << '\n';
    for (int i = 0; i < doctest::IReporter::get_num_active_contexts(); ++i) {
      failures_ << "#   with ";
      doctest::IReporter::get_active_contexts()[i]->stringify(&failures_);
      failures_ << '\n';
    }
  }
  void log_message(const doctest::MessageData& message) override { failures_ << "# " << message.m_string << '\n'; }
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  std::ostream& out_;
  std::ostringstream failures_;
  std::string name_;
  int count_ = 0;
};

REGISTER_REPORTER("tap", 1, TapReporter);

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // as in the tools: base/tool.h
  doctest::Context context;
  context.setOption("reporters", "tap");
  context.applyCommandLine(argc, argv);
  return context.run();
}
