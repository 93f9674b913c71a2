/*
 * main() of a fuzz target where libFuzzer is not linked: runs every file of a corpus
 * folder through it once, so that what the fuzzer once found stays fixed in every build.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <keystile/cleanup.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The input lies in memory of exactly its size, so that a sanitizer sees one byte too far. */
static bool replay_file(int folder, const char *name)
{
	AUTO(fd)
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	struct stat facts;
	if (fd < 0 || fstat(fd, &facts) < 0 || !S_ISREG(facts.st_mode))
		return false;
	size_t len = (size_t)facts.st_size;
	AUTO(text)
	data = malloc(len > 0 ? len : 1);
	if (data == NULL || read(fd, data, len) != (ssize_t)len)
		return false;
	LLVMFuzzerTestOneInput((const uint8_t *)data, len);
	return true;
}

/* One TAP line a file. Returns how many could not be read. */
static int replay_folder(DIR *folder)
{
	int count = 0, failed = 0;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		bool ok = replay_file(dirfd(folder), entry->d_name);
		failed += !ok;
		printf("%sok %d - %s\n", ok ? "" : "not ", ++count, entry->d_name);
		fflush(stdout);
	}
	printf("1..%d\n", count);
	return count == 0 ? 1 : failed;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
		return 2;
	}
	DIR *folder = opendir(argv[1]);
	if (folder == NULL) {
		perror(argv[1]);
		return 2;
	}
	int failed = replay_folder(folder);
	closedir(folder);
	return failed == 0 ? 0 : 1;
}
