#include <csignal>

#include <fmt/format.h>

#include "cli/fixture.hpp"

namespace fs = std::filesystem;

namespace {

using Arguments = std::vector<std::string>;

/// A folder with a fit ("fit"), another fit whose files are to replace it ("new"), and a lock whose
/// owner was killed.
class Publication : public ProgramTest {
 protected:
  Publication() {
    EXPECT_EQ(run(fit_arguments({"--epochs", "1", "--quiet", "--compare"})).status, 0);
    Arguments other = fit_arguments({"--epochs", "2", "--quiet", "--seed", "5"});
    other[4] = at("new");
    EXPECT_EQ(run(other).status, 0);
    names = listing(folder / "new");

    Program program(fit_arguments({"--epochs", "1000000", "--quiet", "--overwrite"}));
    EXPECT_TRUE(wait_for(program, [&] { return fs::exists(lock); }));
    program.send(SIGKILL);
    program.wait();
    fs::remove_all(lock / "work");  // what it had begun would be kept as unfinished
    fs::remove_all(folder / "fit/unfinished");
    fs::copy(folder / "fit", folder / "killed", fs::copy_options::recursive);
  }

  /// As a kill after `moved` of its files were in place leaves it.
  void break_off_after(std::size_t moved) const {
    fs::remove_all(folder / "fit");
    fs::copy(folder / "killed", folder / "fit", fs::copy_options::recursive);
    fs::create_directory(lock / "ready");
    write(lock / "obsolete", "baseline.safetensors\n");
    for (std::size_t i = 0; i < names.size(); ++i)
      fs::copy_file(folder / "new" / names[i],
                    (i < moved ? folder / "fit" : lock / "ready") / names[i],
                    fs::copy_options::overwrite_existing);
  }

  Outcome evaluate(const std::string& name) const {
    return run({"evaluate", at(name), at("data.csv"), "--samples", "16"});
  }

  std::vector<std::string> names;
  fs::path lock = folder / "fit/.ito-lock";
};

TEST_F(Publication, BrokenOffAfterAnyFileIsFinishedByTheNextCommand) {
  const auto wanted = snapshot(folder / "new");
  const Outcome reference = evaluate("new");
  ASSERT_EQ(reference.status, 0) << reference.err;
  EXPECT_NE(evaluate("killed").out, reference.out);
  for (std::size_t moved = 0; moved <= names.size(); ++moved) {
    SCOPED_TRACE(moved);
    break_off_after(moved);
    const Outcome outcome = evaluate("fit");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, reference.out);
    EXPECT_EQ(snapshot(folder / "fit"), wanted);
    EXPECT_FALSE(fs::exists(lock));
    break_off_after(moved);
    expect_error(run(fit_arguments({"--epochs", "1"})), 1, {"which holds a fit"});
    EXPECT_EQ(snapshot(folder / "fit"), wanted);
  }
}

TEST_F(Publication, OfAProcessThatCannotBeCheckedIsNotReadAsAFit) {
  break_off_after(2);
  for (const auto& entry : fs::directory_iterator(lock))
    if (entry.path().filename().string().starts_with("pid="))
      fs::rename(entry.path(), lock / "pid=7,start=1,processes=p,boot=b,machine=m,host=elsewhere");
  const auto before = snapshot(folder);
  expect_error(evaluate("fit"), 1, {"process 7", "elsewhere", lock.string()});
  expect_error(run({"sample", at("fit"), "--count", "1", "--out", at("s.csv")}), 1, {"elsewhere"});
  EXPECT_EQ(snapshot(folder), before);
}

TEST_F(Publication, ThatCannotPutAFileInPlaceSaysWhichAndIsFinishedLater) {
  break_off_after(2);
  fs::remove(folder / "fit/summary.json");
  fs::create_directories(folder / "fit/summary.json/mine");
  expect_error(evaluate("fit"), 1, {"summary.json", "cannot rename into place"});
  fs::remove_all(folder / "fit/summary.json");
  EXPECT_EQ(evaluate("fit").out, evaluate("new").out);
  EXPECT_EQ(snapshot(folder / "fit"), snapshot(folder / "new"));
}

using Folders = ProgramTest;

TEST_F(Folders, HoldTheFilesOfOneCommand) {
  ASSERT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"})).status, 0);
  fs::create_directory(folder / "mine");
  write(folder / "mine/report.html", "mine");
  const Arguments study{"study", "paper", "--effort", "0.001", "--seeds", "1", "--out"};
  const auto with = [&](Arguments arguments, const std::string& out) {
    arguments.push_back(at(out));
    return arguments;
  };
  const auto before = snapshot(folder);
  for (const char* name : {"fit", "mine"})
    expect_error(run(with(study, name)), 1, {"--out", "report.html", "study.json"});
  Arguments fit = fit_arguments({"--epochs", "1", "--quiet", "--overwrite"});
  fit[4] = at("mine");
  expect_error(run(fit), 1, {"--out", "report.html", "model.json"});
  EXPECT_EQ(snapshot(folder), before);
  EXPECT_EQ(run(with(study, "study")).status, 0);
  EXPECT_EQ(run(with(study, "study")).status, 0) << "its own are replaced";
  EXPECT_EQ(listing(folder / "study"), (Arguments{"report.html", "study.json"}));
}

}  // namespace
