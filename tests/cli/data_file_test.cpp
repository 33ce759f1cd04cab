#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"
#include "io/npy.hpp"
#include "model/text.hpp"

namespace {

/// Observations of two numbers for a model without parameters, and a fit of it.
class DataFiles : public ProgramTest {
 protected:
  DataFiles() {
    write(folder / "model.json", model);
    write(folder / "good.csv", "0.3,-0.2\n-0.5,0.4\n0.1,0.6\n");
  }

  Outcome fit(const std::string& data, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"fit",   at("model.json"), at(data), "--out",
                                       at("f"), "--epochs",       "1",      "--overwrite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  Outcome evaluate(const std::string& data, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"evaluate", at("f"), at(data), "--samples", "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  /// Of a fit of good.csv.
  void expect_elbo_of_good(const Outcome& outcome, const std::string& reading) const {
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto object = nlohmann::json::parse(outcome.out);
    const auto good = nlohmann::json::parse(evaluate("good.csv").out);
    EXPECT_EQ(object["observations"], 3);
    EXPECT_EQ(object["elbo"], good["elbo"]);
    EXPECT_NE(outcome.err.find(": 3 observations" + reading + "\n"), std::string::npos)
        << outcome.err;
  }

  const std::string model = R"({"state": 2, "horizon": 1.0, "steps": 8, "drift": {"kind": "zero"},)"
                            R"("diffusion": {"kind": "identity"}, "observed": 2,)"
                            R"("likelihood": {"kind": "gaussian", "scale": 0.5}})";
};

TEST_F(DataFiles, FollowTheHeaderOptionAndTheSummaryNamesLine1) {
  const Outcome quiet = fit("good.csv", {"--quiet"});
  ASSERT_EQ(quiet.status, 0) << quiet.err;
  EXPECT_EQ(quiet.err, "");
  EXPECT_NE(quiet.out.find("good.csv: 3 observations; line 1 is data\n"), std::string::npos)
      << quiet.out;
  expect_elbo_of_good(evaluate("good.csv"), "; line 1 is data");

  write(folder / "named.csv", "a,b\n0.3,-0.2\n-0.5,0.4\n0.1,0.6\n");
  expect_elbo_of_good(evaluate("named.csv"), "; line 1 is a header: a,b");
  write(folder / "bom.csv",
        "\xef\xbb\xbf"
        "a,b\r\n0.3,-0.2\r\n-0.5,0.4\r\n0.1,0.6\r\n");
  expect_elbo_of_good(evaluate("bom.csv"), "; line 1 is a header: a,b");
  write(folder / "pandas.csv", "0,1\n0.3,-0.2\n-0.5,0.4\n0.1,0.6\n");
  expect_error(evaluate("pandas.csv"), 1, {"pandas.csv:1: got 0,1", "--header yes", "--header no"});
  expect_error(fit("pandas.csv", {"--quiet"}), 1, {"pandas.csv:1", "--header yes"});
  expect_elbo_of_good(evaluate("pandas.csv", {"--header", "yes"}), "; line 1 is a header: 0,1");
  const Outcome as_data = evaluate("pandas.csv", {"--header", "no"});
  EXPECT_EQ(nlohmann::json::parse(as_data.out)["observations"], 4);
  EXPECT_NE(as_data.err.find("4 observations; line 1 is data\n"), std::string::npos);
  expect_error(evaluate("pandas.csv", {"--header", "maybe"}), 2,
               {"--header", "maybe", "auto, yes"});

  const Outcome json = fit("named.csv", {"--quiet", "--json", "--held-out-data", at("good.csv")});
  ASSERT_EQ(json.status, 0) << json.err;
  const std::string read = nlohmann::json::parse(json.out)["settings"]["data read"];
  EXPECT_NE(read.find("named.csv: 3 observations; line 1 is a header: a,b; "), std::string::npos);
  EXPECT_NE(read.find("good.csv: 3 observations; line 1 is data"), std::string::npos);
}

TEST_F(DataFiles, WithADamagedFirstRowOrColumnsThatAreNoObservationsAreRefused) {
  struct Case {
    std::string csv;
    std::vector<std::string> says;
  };
  const std::string rows = "\n0.3,-0.2\n-0.5,0.4\n0.1,0.6\n";
  const std::vector<Case> cases{
      {"NA,NA" + rows, {"data.csv:1, column 1: got \"NA\"", "missing", "--header yes"}},
      {"1.2.3,0..4" + rows, {"data.csv:1, column 1: got \"1.2.3\"", "--header yes"}},
      {",0,1\n0,0.3,-0.2\n1,-0.5,0.4\n", {"data.csv:1, column 1", "index", "index=False"}},
      {"series,time,a\n1,0.00,0.1\n1,0.31,0.5\n",
       {"data.csv:1", "\"series\" and \"time\"", "rename"}},
      {"y0,y1\n0.1,0.5\n1.1,nan\n", {"data.csv:3, column 2", "nan", "finite numbers"}},
      {"a;b\n0,150876;-0,158526\n", {"data.csv:1", "semicolons", "decimal points, not commas"}},
      {"a\tb\n0.1\t0.2\n", {"data.csv:1", "tabs", "commas"}},
      {"a,b\r0.1,0.2\r", {"data.csv:1", "CR alone"}},
      {std::string("\xff\xfe"
                   "a\0,\0b\0\n\0",
                   10),
       {"data.csv", "UTF-16", "UTF-8"}},
      {std::string("\x1f\x8b\x08\0\xff\x9b\x1b[31m", 11), {"data.csv", "gzip", "gunzip"}}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.csv);
    write(folder / "data.csv", one.csv);
    expect_error(fit("data.csv", {"--quiet"}), 1, one.says);
  }
}

TEST_F(DataFiles, OfNumpysAreReadWhateverTheirTypeAndOrder) {
  ASSERT_EQ(fit("good.csv", {"--quiet"}).status, 0);
  const std::vector<double> numbers{0.3, -0.2, -0.5, 0.4, 0.1, 0.6};
  const ito::ArrayView y("y", {3, 2}, std::span<const double>(numbers));
  ito::write_npz(at("one.npz"), {&y, 1});
  expect_elbo_of_good(evaluate("one.npz"), "; array y");
  const ito::ArrayView x("x", {3, 2}, std::span<const double>(numbers));
  const ito::ArrayView energy("energy", {6}, std::span<const double>(numbers));
  const ito::ArrayView both[] = {x, energy};
  ito::write_npz(at("two.npz"), both);
  expect_error(evaluate("two.npz"), 1, {"two.npz: got 2 arrays (x, energy)", "two.npz:NAME"});
  expect_elbo_of_good(evaluate("two.npz:x"), "; array x");

  std::string big = ito::npy_header(y);
  big.replace(big.find("<f8"), 3, ">f4");
  for (const double number : numbers) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(number));
    for (const int shift : {24, 16, 8, 0}) big += static_cast<char>(bits >> shift & 0xFF);
  }
  write(folder / "big.npy", big);
  expect_elbo_of_good(evaluate("big.npy"), "");
}

TEST_F(DataFiles, NothingRawReachesTheTerminal) {
  const std::string raw =
      "\x1b[31m\x9b"
      "31m\xc2\x9b\x07";
  const auto expect_clean = [&](const Outcome& outcome, const std::string& what) {
    EXPECT_NE(outcome.status, 0) << what;
    ASSERT_TRUE(outcome.err.ends_with('\n')) << what;
    const std::string line = outcome.err.substr(0, outcome.err.size() - 1);
    EXPECT_EQ(line, ito::printable(line)) << what;
  };
  write(folder / "data.csv", "a,b\n1,2\n" + raw + ",2\n");
  expect_clean(fit("data.csv", {"--quiet"}), "a cell");
  write(folder / "data.csv", raw + ",0.5\n");
  expect_clean(fit("data.csv", {"--quiet"}), "a cell of line 1");
  expect_clean(fit(raw), "a file's name");
  expect_clean(run({"fit", at("model.json"), at("good.csv"), "--out", at("g"), "--batch", raw}),
               "an option's value");
  expect_clean(run({raw}), "a command");
  write(folder / "raw.json", "{\"" + raw + "\": 1}");
  expect_clean(run({"init", at("raw.json"), "--out", at("p")}), "a key of JSON");
  write(folder / "raw.json", raw);
  expect_clean(run({"init", at("raw.json"), "--out", at("p")}), "no JSON");
  expect_clean(run({"gradient", at("sde.json"), "--params", at("p"), "--paths", "1", "--out",
                    at("g"), "--loss", "{\"" + raw.substr(0, 5) + "\x7f\": 1}"}),
               "a loss");
  const std::vector<double> numbers{0.3, -0.2};
  const ito::ArrayView one("aXXXXXb", {1, 2}, std::span<const double>(numbers));
  const ito::ArrayView two("two", {1, 2}, std::span<const double>(numbers));
  const ito::ArrayView arrays[] = {one, two};
  ito::write_npz(at("raw.npz"), arrays);
  std::string archive = read(folder / "raw.npz");
  for (auto place = archive.find("XXXXX"); place != std::string::npos;
       place = archive.find("XXXXX"))
    archive.replace(place, 5, "\x1b[31m");
  write(folder / "raw.npz", archive);
  expect_clean(fit("raw.npz", {"--quiet"}), "names of arrays");
}

TEST_F(DataFiles, MayHaveNamesThatAreNotUtf8) {
  const std::string name =
      "gr\xf6\xdf"
      "e.csv";
  write(folder / name, read(folder / "good.csv"));
  const Outcome outcome = fit(name, {"--quiet", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(nlohmann::json::accept(outcome.out));
  EXPECT_TRUE(nlohmann::json::accept(read(folder / "f" / "summary.json")));
}

TEST_F(DataFiles, InPlaceOfAModelOrParametersAreNamed) {
  const auto init = [&](const std::string& bytes) {
    write(folder / "other.json", bytes);
    return run({"init", at("other.json"), "--out", at("p")});
  };
  const std::string accepted = "a model description, a JSON object";
  expect_error(init("0.3,-0.2\n"), 1,
               {"other.json: got text that begins with \"0.3,-0.2\"", accepted});
  expect_error(init(""), 1, {"other.json: got an empty file", accepted});
  expect_error(init(std::string("\xff\xfe{\0}\0", 6)), 1, {"other.json: got UTF-16 text", "UTF-8"});
  expect_error(init("\x1f\x8b\x08"), 1, {"other.json: got a gzip file", accepted});
  expect_error(init("version https://git-lfs.github.com/spec/v1\n"), 1,
               {"other.json: got a Git LFS pointer", "git lfs pull"});
  EXPECT_EQ(init("\xef\xbb\xbf" + model).status, 0) << "a byte order mark of UTF-8";
  expect_error(run({"fit", at("good.csv"), at("model.json"), "--out", at("g")}), 1,
               {"good.csv: got text", accepted});
  expect_error(fit("model.json"), 1, {"model.json: got JSON text", "CSV text"});
  expect_error(run({"simulate", at("sde.json"), "--params", at("good.csv"), "--paths", "1", "--out",
                    at("o.npz")}),
               1, {"good.csv: file: got 26 bytes of another kind", "a safetensors file"});
}

}  // namespace
