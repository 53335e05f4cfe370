import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ApiError } from '../api/client';
import { Failure, Toasts } from '../ui';
import { Login } from './Login';
import { resume, useSession } from './session';
import { Shell } from './Shell';

const client = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 5000,
            refetchOnWindowFocus: true,
            // What the bridge refuses it will refuse again; what did not arrive is tried again.
            retry: (count, error) => !(error instanceof ApiError && error.status >= 400 && error.status < 500) && count < 3,
            retryDelay: (attempt) => Math.min(8000, 500 * 2 ** attempt),
        },
    },
});

function Content() {
    const session = useSession();
    useEffect(() => {
        void resume();
    }, []);
    useEffect(() => {
        if (session.state === 'out') client.clear();
        if (session.state !== 'away') return;
        const timer = setTimeout(() => void resume(), 3000);
        return () => clearTimeout(timer);
    }, [session]);
    if (session.state === 'loading') return null;
    if (session.state === 'away') return <Failure error={session.error} onRetry={() => void resume()} />;
    return session.state === 'in' ? <Shell me={session.me} /> : <Login why={session.why} />;
}

export function App() {
    return (
        <QueryClientProvider client={client}>
            <Content />
            <Toasts />
        </QueryClientProvider>
    );
}
