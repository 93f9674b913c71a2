/*
 * connect() for all that is loaded into a worker. Where the agent connects (broker.h there) it puts
 * a socket of its own in the place of the one that was given, and can't see how that was set: what
 * did not block goes on not blocking. Nothing depends on it but the comfort of well-meaning code.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	int flags = fcntl(fd, F_GETFL);
	long result = syscall(SYS_connect, fd, address.__sockaddr__, len);

	if (result == 0 && flags >= 0 && (flags & O_NONBLOCK) != 0)
		return fcntl(fd, F_SETFL, flags);
	return (int)result;
}
