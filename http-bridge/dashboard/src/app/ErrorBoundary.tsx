import { Component } from 'react';
import { Failure } from '../ui';

/** A page that breaks leaves the others alone. */
export class ErrorBoundary extends Component<{ children: React.ReactNode }, { error: unknown }> {
    override state = { error: null as unknown };
    static getDerivedStateFromError(error: unknown): { error: unknown } {
        return { error };
    }
    override render(): React.ReactNode {
        if (this.state.error === null) return this.props.children;
        return <Failure error={this.state.error} onRetry={() => this.setState({ error: null })} />;
    }
}
